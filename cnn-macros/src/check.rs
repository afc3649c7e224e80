//! From what was written to what it means: names resolved, layers looked up, blocks and loops unrolled, shapes inferred, every
//! mistake reported.

mod apply;
mod blame;
mod block;
mod broken;
mod ends;
mod layer;
mod scope;
mod stated;

use crate::ast::{self, Block, Call, Expression, For, Given, If, Model, Outline, Statement};
use crate::bind::Filled;
use crate::evaluate;
use crate::fallback::{Field, Sketch};
use crate::graph::{self, Described, Edge, Graph, Node, Source, Step};
use crate::names::Names;
use crate::offer::{Known, Offer};
use crate::report::{Errors, Problem, spaced};
use crate::suggest;
use cnn_spec as spec;
use proc_macro2::TokenStream;
use quote::ToTokens;
use scope::{Bound, Scope};
use spec::Layer;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use syn::Ident;

/// Checks a model, which may use `blocks`; those it uses are added to `used`.
///
/// # Errors
/// As much as is known of a model with a mistake. All mistakes are in `errors`, each once: what depends on a bad statement
/// is not checked.
pub fn check(
    model: &Model,
    ast::Source { blocks, models, .. }: &ast::Source,
    used: &mut HashSet<String>,
    errors: &mut Errors,
) -> Result<Graph, Sketch> {
    let before = errors.len();
    let mut checker = Checker::new(model, blocks, models, errors);
    checker.statements(&model.body.statements);
    let ends = checker.ends(model.body.outline.as_ref());
    checker.unused();
    used.extend(checker.used.drain());
    let is_whole = checker.errors.len() == before && model.body.is_whole;
    if is_whole && !checker.slots.iter().any(|slot| slot.kind == spec::Input::NAME) {
        let problem = Problem::new("this model has no input").help("start it with one, such as `i = Input(28, 28, 1);`");
        checker.errors.push(problem.at(&model.name));
    }
    let names = checker.names.assign(checker.errors);
    match ends {
        Some((inputs, outputs)) if is_whole && checker.errors.len() == before => Ok(checker.graph(names, inputs, outputs)),
        _ => Err(checker.sketch(&names, model.body.outline.as_ref())),
    }
}

/// Checks that every block has a name of its own.
pub fn blocks(blocks: &[Block], errors: &mut Errors) {
    for (index, Block { name, .. }) in blocks.iter().enumerate() {
        let taken = if Layer::arguments(&name.to_string()).is_some() {
            "is the name of a layer"
        } else if blocks[..index].iter().any(|earlier| earlier.name == *name) {
            "is the name of an earlier block"
        } else {
            continue;
        };
        errors.push(Problem::new(format!("`{name}` {taken}")).help("give the block another name").at(name));
    }
}

/// Reports the blocks that no model uses, unless a mistake may be the reason, or there is no model yet.
pub fn unused_blocks(blocks: &[Block], used: &HashSet<String>, is_alone: bool, errors: &mut Errors) {
    if errors.len() == 0 && !is_alone {
        for Block { name, .. } in blocks.iter().filter(|block| !used.contains(&block.name.to_string())) {
            errors.push(Problem::new(format!("block `{name}` is never used")).help("remove it, or call it in a model").at(name));
        }
    }
}

/// The most statements that one model may take, blocks and loops unrolled; more are taken for a mistake.
const MOST_STATEMENTS: usize = 20_000;

/// The most blocks that may be called one inside the other.
const MOST_BLOCKS: usize = 32;

struct Checker<'a> {
    errors: &'a mut Errors,
    blocks: &'a [Block],
    /// The models declared beside this one, and itself.
    models: &'a [Model],
    name: &'a Ident,
    strict: bool,
    scope: Scope<'a>,
    names: Names,
    /// The layers called so far, whether right or wrong.
    slots: Vec<Slot>,
    layers: Vec<graph::Layer>,
    nodes: Vec<Node>,
    /// The layers that are bound to a name, to be applied later.
    held: Vec<Held<'a>>,
    /// What calls were read as, each with the arguments it had then.
    read: HashMap<*const Call, Vec<(String, Read)>>,
    /// The blocks being inlined, outermost first.
    inside: Vec<&'a Ident>,
    /// The blocks called so far.
    used: HashSet<String>,
    /// The statements in which a mistake was found, so that it is reported once and not at every turn of a loop.
    broken: HashSet<*const Statement>,
    /// The blocks in whose value a mistake was found.
    broken_values: HashSet<*const Block>,
    /// The names that were reported as unused, for the same reason.
    reported: HashSet<*const Ident>,
    /// What the loops being unrolled go through, outermost first.
    turning: Vec<&'a Given>,
    /// How many statements have been checked, and turns of loops begun.
    done: usize,
    /// The names in the statements of the model that have not been reached yet.
    later: Vec<&'a Ident>,
}

/// The place of a layer among the names, and its name as written.
struct Slot {
    name: usize,
    kind: Ident,
}

/// A layer before it is applied: its arguments, and where they stand.
#[derive(Clone)]
struct Held<'a> {
    call: &'a Call,
    read: Read,
    /// Its place among the names.
    name: usize,
    frozen: bool,
    /// The node it was first applied in, and the name of the tensor it was applied to.
    applied: Option<(usize, String)>,
    /// Whether it has been used, rightly or wrongly.
    is_used: bool,
    /// The mistake that the `;` after it is missing.
    unended: Option<usize>,
}

/// A layer as its call says it, which is the same wherever its arguments are the same.
#[derive(Clone)]
struct Read {
    filled: Rc<[Option<Filled>]>,
    /// Where the arguments stand.
    arguments: Rc<[graph::Argument]>,
    layer: Described,
}

/// The tensors that an expression gives.
struct Value {
    nodes: Vec<usize>,
    source: Source,
}

impl<'a> Checker<'a> {
    fn new(model: &'a Model, blocks: &'a [Block], models: &'a [Model], errors: &'a mut Errors) -> Self {
        Self {
            errors,
            blocks,
            models,
            name: &model.name,
            strict: model.body.strict,
            scope: Scope::default(),
            names: Names::default(),
            slots: Vec::new(),
            layers: Vec::new(),
            nodes: Vec::new(),
            held: Vec::new(),
            read: HashMap::new(),
            inside: Vec::new(),
            used: HashSet::new(),
            broken: HashSet::new(),
            broken_values: HashSet::new(),
            reported: HashSet::new(),
            turning: Vec::new(),
            done: 0,
            later: model.body.statements.iter().flat_map(Statement::names).collect(),
        }
    }

    fn graph(self, names: Vec<crate::names::Name>, inputs: Vec<usize>, outputs: Vec<Edge>) -> Graph {
        let Self { layers, nodes, scope, .. } = self;
        Graph { names, layers, nodes, steps: scope.steps, inputs, outputs }
    }

    fn sketch(&self, names: &[crate::names::Name], outline: Option<&Outline>) -> Sketch {
        let mut fields: Vec<Field> = Vec::new();
        for Slot { name, kind } in &self.slots {
            let name = names[*name].field.clone();
            if fields.iter().all(|field| field.name != name) {
                fields.push(Field { name, layer: kind.clone(), is_model: Layer::arguments(&kind.to_string()).is_none() });
            }
        }
        let inputs = self.slots.iter().filter(|slot| slot.kind == spec::Input::NAME).count().max(1);
        let (inputs, outputs) = match outline {
            Some(outline) => (outline.inputs.len(), outline.outputs.len()),
            None => (inputs, self.scope.last.max(1)),
        };
        Sketch { fields, inputs, outputs }
    }

    fn statements(&mut self, statements: &'a [Statement]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &'a Statement) {
        if !self.is_within_reason(statement) {
            return;
        }
        if self.broken.contains(&std::ptr::from_ref(statement)) {
            return self.poison(statement);
        }
        match statement {
            Statement::Bind(names, stated, expression) => {
                let before = self.errors.len();
                self.bind(names, expression);
                if let (Some(stated), [name]) = (stated, names.as_slice()) {
                    self.stated(name, stated);
                }
                if self.errors.len() > before {
                    self.broken.insert(statement);
                }
            }
            Statement::Unended(unended, mistake) => self.unended(unended, *mistake),
            Statement::For(turns) => self.turns(turns, statement),
            Statement::If(choice) => match self.chosen(choice) {
                Ok(statements) => self.statements(statements),
                Err(error) => self.give_up(statement, error),
            },
            Statement::Broken(names) => {
                self.scope.any_name |= names.is_empty();
                self.poison(statement);
            }
        }
    }

    /// The statements behind the first condition that holds.
    fn chosen(&self, choice: &'a If) -> crate::report::Result<&'a [Statement]> {
        for (condition, then) in &choice.branches {
            if evaluate::condition(condition, &self.scope.parameters)? {
                return Ok(then);
            }
        }
        Ok(&choice.otherwise)
    }

    /// A statement without its `;`, which `mistake` says: half typed, if anything else is wrong with it.
    fn unended(&mut self, statement: &'a Statement, mistake: Option<usize>) {
        let before = self.errors.len();
        self.statement(statement);
        self.use_everything();
        let Some(mistake) = mistake else { return };
        if self.errors.len() > before {
            self.errors.withdraw(mistake);
        }
        if let Some(Bound::Layer(held)) = self.scope.bindings.last().map(|binding| binding.bound) {
            (self.held[held].is_used, self.held[held].unended) = (false, Some(mistake));
        }
    }

    /// Whether no more has been done than any model takes; if more, that is a mistake, and nothing else is done.
    fn is_within_reason(&mut self, statement: &'a Statement) -> bool {
        self.done += 1;
        if self.done == MOST_STATEMENTS {
            let name = || statement.names().first().map_or_else(TokenStream::new, |name| name.to_token_stream());
            let blamed = self.turning.last().map_or_else(name, |values| values.tokens.clone());
            let message =
                format!("a model may take {MOST_STATEMENTS} statements at most, turns of loops and calls of blocks counted");
            self.errors.push(Problem::new(message).help("use a smaller range, or fewer calls").at(blamed));
            self.use_everything();
        }
        self.done < MOST_STATEMENTS
    }

    /// Reports what is wrong with a loop or an `if` as a whole.
    fn give_up(&mut self, statement: &'a Statement, error: crate::report::Mistake) {
        self.errors.push(error);
        self.broken.insert(statement);
        self.poison(statement);
    }

    /// Binds what `statement` would bind, to tensors that are unknown because of an earlier error.
    fn poison(&mut self, statement: &'a Statement) {
        self.use_everything();
        let names = statement.names();
        self.scope.last = names.len().min(1);
        for name in names {
            self.scope.bind(name, Bound::Tensor(None));
        }
    }

    fn turns(&mut self, turns: &'a For, statement: &'a Statement) {
        let values = match evaluate::values(&turns.values, &self.scope.parameters) {
            Ok(values) => values,
            Err(error) => return self.give_up(statement, error),
        };
        self.turning.push(&turns.values);
        for value in values {
            if !self.is_within_reason(statement) {
                break;
            }
            let outer = self.scope.parameters.clone();
            let variables = match self.scope.match_pattern(&turns.pattern, value, &turns.values) {
                Ok(variables) => variables,
                Err(error) => {
                    self.give_up(statement, error);
                    break;
                }
            };
            self.errors.enter(variables);
            self.statements(&turns.statements);
            self.errors.leave();
            self.scope.parameters = outer;
        }
        self.turning.pop();
    }

    fn bind(&mut self, names: &'a [Ident], expression: &'a Expression) {
        self.later.retain(|later| !names.iter().any(|name| std::ptr::eq(name, *later)));
        if let Expression::Tensor(name) = expression
            && let Some(Bound::Layer(held)) = self.scope.mark_used(name)
        {
            self.held[held].is_used = true;
            let problem = Problem::new(format!("`{name}` is a layer, not a tensor"));
            self.errors.push(problem.help(format!("apply it: `{name}(…)`")).at(name));
            self.use_everything();
        }
        if let (Expression::Call(call), [name]) = (expression, names)
            && call.tensors.is_none()
            && call.layer != spec::Input::NAME
            && (Layer::arguments(&call.layer.to_string()).is_some() || self.is_model(call))
        {
            let bound = match self.hold(call) {
                Some(held) => {
                    self.held.push(held);
                    Bound::Layer(self.held.len() - 1)
                }
                None => {
                    self.use_everything();
                    Bound::Tensor(None)
                }
            };
            self.scope.bind(name, bound);
            self.scope.last = 1;
            return;
        }
        let value = self.expression(expression, &names[0]).filter(|value| {
            let fits = value.nodes.len() == names.len();
            if !fits {
                self.errors.push(wrong_count(names, value.nodes.len()));
            }
            fits
        });
        let nodes = value.as_ref().map(|value| value.nodes.clone());
        if let Some(value) = value {
            self.scope.steps.push(Step { names: names.to_vec(), value: value.source });
        }
        for (index, name) in names.iter().enumerate() {
            self.scope.bind(name, Bound::Tensor(nodes.as_ref().map(|nodes| nodes[index])));
        }
        self.scope.last = names.len();
    }

    /// The tensors of an expression that is bound to `target`, unless something about it is wrong or unknown.
    fn expression(&mut self, expression: &'a Expression, target: &'a Ident) -> Option<Value> {
        match expression {
            Expression::Tensor(name) => {
                let node = self.resolve(name)?;
                Some(Value { nodes: vec![node], source: Source::Tensor(name.clone()) })
            }
            Expression::Sum { plus, terms } => self.sum(plus, terms, target),
            Expression::Call(call) => self.call(call, target),
        }
    }

    fn call(&mut self, call: &'a Call, target: &'a Ident) -> Option<Value> {
        let kind = call.layer.to_string();
        if let Some(Bound::Layer(held)) = self.scope.find(&call.layer).map(|binding| binding.bound) {
            return self.apply_held(held, call, target);
        }
        if let Some(block) = self.blocks.iter().find(|block| block.name == call.layer) {
            return self.block(block, call, target);
        }
        if Layer::arguments(&kind).is_none() && !self.is_model(call) {
            self.operands(call, target);
            let blocks: Vec<String> = self.blocks.iter().map(|block| block.name.to_string()).collect();
            self.errors.push(unknown_layer(call, &blocks).at(&call.layer));
            self.offer(&call.layer, Vec::new());
            return None;
        }
        let operands = self.operands(call, target);
        let mut held = self.hold(call)?;
        if call.layer == spec::Input::NAME {
            self.is_a_fit_input(target)?;
        }
        let blame = call.tensors.as_ref().map(|tensors| tensors.parentheses.clone());
        self.apply(&mut held, operands?, blame.as_ref(), target)
    }

    /// That an input may be bound to `target` here.
    fn is_a_fit_input(&mut self, target: &Ident) -> Option<()> {
        if !self.inside.is_empty() {
            let problem = Problem::new("an `Input` belongs to a model, not to a block");
            let block = self.blocks.iter().find(|block| self.inside.last().is_some_and(|name| block.name == **name));
            let tensors = block.map_or_else(Vec::new, |block| block.tensors.iter().map(ToString::to_string).collect());
            let help = format!("let the block take it as another tensor: `({}, {target})`", tensors.join(", "));
            self.errors.push(problem.help(help).at(target));
            return None;
        }
        if self.scope.find(target).is_some() {
            let problem = Problem::new(format!("input `{target}` has the name of an earlier tensor"));
            self.errors.push(problem.help("give it a name of its own").at(target));
            return None;
        }
        Some(())
    }

    /// The tensors a layer is applied to, each with what it is called in messages, or `None` if one is unknown.
    fn operands(&mut self, call: &'a Call, target: &'a Ident) -> Option<Vec<(String, Value)>> {
        let expressions = call.tensors.as_ref().map_or(&[][..], |tensors| &tensors.expressions);
        if expressions.is_empty() && call.layer != spec::Input::NAME {
            self.use_everything();
        }
        self.all(expressions, target)
    }

    fn all(&mut self, expressions: &'a [Expression], target: &'a Ident) -> Option<Vec<(String, Value)>> {
        let operands: Vec<Option<(String, Value)>> = expressions.iter().map(|expression| self.one(expression, target)).collect();
        operands.into_iter().collect()
    }

    /// An expression of which one tensor is wanted.
    fn one(&mut self, expression: &'a Expression, target: &'a Ident) -> Option<(String, Value)> {
        if let Expression::Call(call) = expression
            && call.layer == spec::Input::NAME
        {
            self.errors.push(Problem::new("an `Input` needs a name").help("bind it: `i = Input(28, 28, 1);`").at(&call.layer));
            return None;
        }
        let value = self.expression(expression, target)?;
        let label = label(expression);
        if value.nodes.len() != 1 {
            let message = format!("`{label}` gives {} tensors, and one is wanted here", value.nodes.len());
            self.errors.push(Problem::new(message).help("bind them first: `(a, b) = …;`").at(expression.last_token()));
            return None;
        }
        Some((label, value))
    }

    /// Counts every name as used, because it cannot be known which one a mistake stands for.
    fn use_everything(&mut self) {
        self.scope.use_everything();
        self.held.iter_mut().filter(|held| held.unended.is_none()).for_each(|held| held.is_used = true);
    }

    /// The node that `name` is bound to at this point.
    fn resolve(&mut self, name: &Ident) -> Option<usize> {
        match self.scope.mark_used(name) {
            Some(Bound::Tensor(node)) => return node,
            Some(Bound::Layer(held)) => {
                self.not_applied(held, name);
                return None;
            }
            None => {}
        }
        if !self.scope.any_name && self.scope.unknown.insert(name.to_string()) {
            let is_layer = Layer::NAMES.iter().any(|layer| name == layer) || self.blocks.iter().any(|block| block.name == *name);
            let problem = match is_layer {
                true => Problem::new(format!("layer `{name}` is not called")).help(format!("write `{name}(…)(…)`")),
                false if self.later.contains(&name) => Problem::new(format!("`{name}` is used before it is bound"))
                    .help(format!("move the statement that binds `{name}` to a line above this one")),
                false => Problem::new(format!("unknown tensor `{name}`"))
                    .help(suggest::tensor(&name.to_string(), &self.scope.tensors())),
            };
            self.errors.push(problem.at(name));
            self.offer(name, self.scope.tensors());
        }
        self.use_everything();
        None
    }

    /// Has editors offer what could stand in the place of `name`: layers, or, of lower case, blocks and these tensors.
    fn offer(&mut self, name: &Ident, tensors: Vec<String>) {
        let blocks = self.blocks.iter().map(|block| block.name.to_string()).collect();
        let is_layer = name.to_string().starts_with(char::is_uppercase);
        self.errors.offer(Offer::new(name, if is_layer { Known::Layers } else { Known::Bound { tensors, blocks } }));
    }

    /// Reports a layer that should have been applied to something, once.
    fn not_applied(&mut self, held: usize, name: &Ident) {
        let held = &mut self.held[held];
        if std::mem::replace(&mut held.is_used, true) {
            return;
        }
        let (message, help) = match held.read.layer.known().map(|layer| layer.infer(&[])) {
            Some(Ok(_)) => return,
            Some(Err(error)) => (error.message.to_string(), error.help.to_string()),
            None => without_tensor(held.call),
        };
        held.unended.into_iter().for_each(|mistake| self.errors.withdraw(mistake));
        let help = format!("{help}, or later by its name: `{name}(…)`");
        self.errors.push(Problem::new(message).help(help).at(&held.call.layer));
        self.use_everything();
    }
}

/// What an expression is called in messages.
fn label(expression: &Expression) -> String {
    match expression {
        Expression::Tensor(name) => name.to_string(),
        Expression::Call(call) => format!("{}(…)", call.layer),
        Expression::Sum { terms, .. } => terms.iter().map(label).collect::<Vec<_>>().join(" + "),
    }
}

/// What is said of a layer that is applied to nothing, and what to do, where its rule is not known.
fn without_tensor(call: &Call) -> (String, String) {
    let arguments = if call.arguments.as_ref().is_some_and(Vec::is_empty) { "" } else { "…" };
    (format!("`{}` is applied to no tensor", call.layer), format!("apply it to one: `{}({arguments})(x)`", call.layer))
}

fn wrong_count(names: &[Ident], found: usize) -> crate::report::Mistake {
    let noun = if found == 1 { "tensor" } else { "tensors" };
    let message = format!("{} {} for {found} {noun}", names.len(), if names.len() == 1 { "name" } else { "names" });
    let help = if found == 1 {
        format!("bind it to one name: `{} = …`", names[0])
    } else {
        format!("bind each to a name, as in `(a, b) = …`, {found} in all")
    };
    Problem::new(message).help(help).at(names.iter().map(|name| name.to_token_stream()).collect::<TokenStream>())
}

fn unknown_layer(call: &Call, blocks: &[String]) -> Problem {
    let kind = call.layer.to_string();
    let problem = Problem::new(format!("unknown layer `{kind}`"));
    let is_function = call.tensors.is_none() && kind.starts_with(char::is_lowercase);
    let argument = call.arguments.as_ref().and_then(|arguments| arguments.first()?.given.word());
    let has_more = call.arguments.as_ref().is_some_and(|arguments| arguments.len() > 1);
    match suggest::function(&kind, argument.unwrap_or("x"), has_more).filter(|_| is_function) {
        Some(help) => problem.help(format!("write `{help}`")),
        None => problem.help(suggest::layer(&kind, &spaced(&call.parentheses.clone().into()), blocks)),
    }
}
