//! From what was written to what it means: names resolved, layers looked up, blocks and loops unrolled, shapes inferred, every
//! mistake reported.

mod block;
mod broken;
mod scope;

use crate::ast::{self, Block, Call, Expression, For, Given, If, Model, Outline, Statement};
use crate::bind::{self, Filled, bind};
use crate::common;
use crate::custom;
use crate::evaluate;
use crate::fallback::{Field, Sketch};
use crate::graph::{self, Argument, Blamed, Check, Constants, Described, Edge, Graph, Node, Source, Stated, Step};
use crate::names::{Names, snake};
use crate::report::{Errors, Problem};
use crate::{parse, suggest};
use cnn_spec as spec;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use scope::{Binding, Bound, Scope};
use spec::{At, FromValue, Inferred, Layer, Operand, ShapeError};
use std::collections::HashSet;
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
    filled: Vec<Option<Filled>>,
    layer: Described,
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
            self.scope.bindings.push(Binding { name, bound: Bound::Tensor(None), is_used: false });
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

    /// Checks the shape that a statement says its tensor has, or answers what it is.
    fn stated(&mut self, name: &'a Ident, given: &Given) {
        let Some(Bound::Tensor(Some(node))) = self.scope.bindings.last().map(|binding| binding.bound) else {
            return self.use_everything();
        };
        let stated = match bind::shape(given, &self.scope.parameters) {
            Ok(stated) => stated,
            Err(error) => {
                self.errors.push(error);
                return self.use_everything();
            }
        };
        let known = match &stated {
            None => Some(None),
            Some((value, _)) => spec::Shape::from_value(value, "shape").ok().map(Some),
        };
        match (self.inferred(node), known) {
            (Some(inferred), Some(known)) => {
                if let Err(error) = inferred.is_stated(&name.to_string(), known.as_ref()) {
                    let error = error.after(&self.shapes_on_the_way(node));
                    let problem = Problem::new(error.message.to_string()).note(error.note.to_string());
                    self.errors.push(problem.help(error.help.to_string()).at(&given.tokens));
                }
            }
            _ => self.state_later(node, name, given, stated),
        }
    }

    /// Leaves it to the compiler to check the shape that is stated of a node.
    fn state_later(&mut self, node: usize, name: &Ident, given: &Given, stated: Option<(spec::Value, Constants)>) {
        let source = |(value, constants)| match spec::Shape::source(&value, "shape") {
            Ok(source) => Some(Stated { source, constants }),
            Err(_) => None,
        };
        let labels = self.nodes[node].inputs.iter().map(|input| self.nodes[*input].tensor.to_string()).collect();
        let place = self.errors.place();
        let check = self.nodes[node].check.get_or_insert_with(|| Check {
            labels,
            blamed: Vec::new(),
            otherwise: name.to_token_stream(),
            place,
            first: None,
            stated: Vec::new(),
        });
        check.stated.push((name.to_string(), stated.and_then(source)));
        check.blamed.push((Blamed::Stated, given.tokens.clone()));
    }

    /// What follows from the layer of a node, if the macro knows it.
    fn inferred(&self, node: usize) -> Option<Inferred> {
        let Node { layer, inputs, .. } = &self.nodes[node];
        let operand = |input: &usize| Some((self.nodes[*input].tensor.to_string(), self.nodes[*input].shape?));
        let operands: Vec<(String, spec::Shape)> = inputs.iter().map(operand).collect::<Option<_>>()?;
        let operands: Vec<Operand> = operands.iter().map(|(name, shape)| Operand::new(name, *shape)).collect();
        self.layers[*layer].layer.known()?.infer(&operands).ok()
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

    /// Whether `call` is that of another model: one declared here, or a name like none that is known.
    fn is_model(&self, call: &Call) -> bool {
        let name = call.layer.to_string();
        let is_declared = self.models.iter().any(|model| model.name == call.layer);
        let is_like_one = name.starts_with(char::is_uppercase) && !suggest::is_like_a_layer(&name);
        let has_no_arguments = call.arguments.as_ref().is_some_and(|arguments| arguments.iter().all(common::is_common));
        Layer::arguments(&name).is_none() && (is_declared || (is_like_one && has_no_arguments))
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

    /// The layer of `call` with its arguments, not yet applied.
    fn hold(&mut self, call: &'a Call) -> Option<Held<'a>> {
        let kind = call.layer.to_string();
        let table = Layer::arguments(&kind).unwrap_or_default();
        if call.layer == *self.name {
            let problem = Problem::new(format!("model `{kind}` is made of itself"));
            self.errors.push(problem.help("declare what repeats as a block, and repeat it with a loop").at(&call.layer));
            return None;
        }
        let arguments = common::arguments(call, &self.scope.parameters, self.errors);
        let (common, arguments) = arguments.map_or((None, None), |(common, own)| (Some(common), Some(own)));
        let common = common.unwrap_or_default();
        let snake = match arguments.as_deref() {
            Some([own, ..]) if call.layer == spec::Custom::NAME => custom::automatic_name(&own.given),
            _ => Layer::snake_name_of(&kind).map_or_else(|| snake(&kind), str::to_string),
        };
        let name = self.names.add(self.scope.place, snake, common.name, call.layer.span());
        self.slots.push(Slot { name, kind: call.layer.clone() });
        let before = self.errors.len();
        let is_tensor = |name: &str| self.scope.is_tensor(name);
        let (filled, missing) = bind(call, &arguments?, table, is_tensor, &self.scope.parameters, self.errors);
        let layer = self.layer(call, table, &filled);
        if let Some(missing) = missing.filter(|_| self.errors.len() == before) {
            self.errors.push(missing);
        }
        let layer = layer.filter(|_| self.errors.len() == before)?;
        let frozen = common.frozen || self.scope.frozen;
        Some(Held { call, filled, layer, name, frozen, applied: None, is_used: false, unended: None })
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

    /// `a + b`, which is `Add()([a, b])`.
    fn sum(&mut self, plus: &'a TokenTree, terms: &'a [Expression], target: &'a Ident) -> Option<Value> {
        let operands = self.all(terms, target);
        let kind = Ident::new(spec::Add::NAME, plus.span());
        let name = self.names.add(self.scope.place, spec::Add::SNAKE_NAME.to_string(), None, plus.span());
        self.slots.push(Slot { name, kind: kind.clone() });
        let (operands, layer) = (operands?, Described::Known(Box::new(Layer::Add(spec::Add::new()))));
        match self.infer(&layer, &operands) {
            Ok(inferred) => {
                let (inputs, frozen) = (self.shapes(&operands), self.scope.frozen);
                self.layers.push(graph::Layer { name, kind, layer, arguments: Vec::new(), inputs, inferred, frozen });
                let check = self.check(&operands, Vec::new(), plus.to_token_stream(), None);
                Some(self.add_node(self.layers.len() - 1, inferred, operands, target, check))
            }
            Err(error) => {
                let problem = self.broken_rule(&error, &operands);
                self.errors.push(problem.at(plus));
                None
            }
        }
    }

    /// Applies a layer to tensors that are given in the tokens `blame`.
    fn apply(
        &mut self,
        held: &mut Held<'a>,
        operands: Vec<(String, Value)>,
        blame: Option<&TokenTree>,
        target: &Ident,
    ) -> Option<Value> {
        held.is_used = true;
        let call = held.call;
        let table = Layer::arguments(&call.layer.to_string()).unwrap_or_default();
        let is_late = call.tensors.is_none() && blame.is_some();
        let inferred = match self.infer(&held.layer, &operands) {
            Ok(inferred) => inferred,
            Err(error) => {
                let problem = self.broken_rule(&error, &operands);
                let tokens = match (error.at, blame) {
                    // A layer bound to a name may fit one tensor and not another.
                    (_, Some(blame)) if is_late => blame.to_token_stream(),
                    (At::Inputs, Some(blame)) => blame.to_token_stream(),
                    (at, _) => blamed(at, call, table, &held.filled),
                };
                self.errors.push(problem.at(tokens));
                if !is_late {
                    self.also_broken(held, &operands, error);
                }
                return None;
            }
        };
        let first = held.applied.clone();
        let layer = match &first {
            Some((node, first)) => {
                self.weights_fit(*node, first, inferred.as_ref(), &operands, blame)?;
                self.nodes[*node].layer
            }
            None => {
                let given =
                    table.iter().zip(&held.filled).filter_map(|(argument, filled)| Some((argument.name, filled.as_ref()?)));
                let arguments =
                    given.map(|(name, filled)| Argument { name, label: filled.label, value: filled.span() }).collect();
                let (kind, inputs, layer) = (call.layer.clone(), self.shapes(&operands), held.layer.clone());
                let Held { name, frozen, .. } = *held;
                self.layers.push(graph::Layer { name, kind, layer, arguments, inputs, inferred, frozen });
                self.layers.len() - 1
            }
        };
        if first.is_none() {
            held.applied = Some((self.nodes.len(), operands.first().map_or_else(String::new, |(label, _)| label.clone())));
        }
        let (blamed, otherwise) = match blame {
            Some(blame) if is_late => (Vec::new(), blame.to_token_stream()),
            _ => (blamable(call, table, &held.filled), call.layer.to_token_stream()),
        };
        let check = self.check(&operands, blamed, otherwise, first);
        Some(self.add_node(layer, inferred, operands, target, check))
    }

    /// That the weights of a layer applied before are those it would have here.
    fn weights_fit(
        &mut self,
        node: usize,
        first: &str,
        inferred: Option<&Inferred>,
        operands: &[(String, Value)],
        blame: Option<&TokenTree>,
    ) -> Option<()> {
        let earlier = &self.layers[self.nodes[node].layer];
        let (Some(before), Some(inferred), [from, ..]) = (&earlier.inferred, inferred, earlier.inputs.as_deref().unwrap_or(&[]))
        else {
            return Some(());
        };
        let (label, value) = operands.first()?;
        let here = Operand::new(label, self.shape(value)?);
        match inferred.shares_weights(before, &earlier.kind.to_string(), &Operand::new(first, *from), &here) {
            Ok(()) => Some(()),
            Err(error) => {
                let problem = Problem::new(error.message.to_string()).note(error.note.to_string());
                self.errors.push(problem.help(error.help.to_string()).at(blame));
                None
            }
        }
    }

    /// Applies a layer that is bound to a name: `conv(x)`.
    fn apply_held(&mut self, held: usize, call: &'a Call, target: &'a Ident) -> Option<Value> {
        self.scope.mark_used(&call.layer);
        self.held[held].is_used = true;
        if let Some(tensors) = &call.tensors {
            self.all(&tensors.expressions, target);
            let problem = Problem::new(format!("`{}` has its arguments already", call.layer));
            self.errors.push(problem.help(format!("leave them out: `{}(…)`", call.layer)).at(&call.parentheses));
            return None;
        }
        let expressions = match parse::tensors_of(&call.parentheses, self.errors) {
            Ok(expressions) => expressions,
            Err(error) => {
                self.use_everything();
                self.errors.push(error);
                return None;
            }
        };
        let mut operands = Vec::new();
        for expression in &expressions {
            let Expression::Tensor(name) = expression else {
                let problem = Problem::new(format!("`{}` is applied to tensors by their names", call.layer));
                self.errors.push(problem.help("bind the tensor first: `y = …;`").at(&call.parentheses));
                return None;
            };
            let node = self.resolve(name)?;
            operands.push((name.to_string(), Value { nodes: vec![node], source: Source::Tensor(name.clone()) }));
        }
        let mut layer = self.held[held].clone();
        let value = self.apply(&mut layer, operands, Some(&call.parentheses), target);
        self.held[held] = layer;
        value
    }

    /// What follows from a layer, or `None` if only the compiler can find out.
    fn infer(&self, layer: &Described, operands: &[(String, Value)]) -> Result<Option<Inferred>, ShapeError> {
        let operand = |(name, value): &'_ (String, Value)| Some((name.clone(), self.shape(value)?));
        let operands: Option<Vec<(String, spec::Shape)>> = operands.iter().map(operand).collect();
        let (Some(layer), Some(operands)) = (layer.known(), operands) else { return Ok(None) };
        let operands: Vec<Operand> = operands.iter().map(|(name, shape)| Operand::new(name, *shape)).collect();
        layer.infer(&operands).map(Some)
    }

    fn shape(&self, value: &Value) -> Option<spec::Shape> {
        self.nodes[value.nodes[0]].shape
    }

    fn shapes(&self, operands: &[(String, Value)]) -> Option<Vec<spec::Shape>> {
        operands.iter().map(|(_, value)| self.shape(value)).collect()
    }

    /// What the compiler needs to check an application of a layer.
    fn check(
        &self,
        operands: &[(String, Value)],
        mut blamed: Vec<(Blamed, TokenStream)>,
        otherwise: TokenStream,
        first: Option<(usize, String)>,
    ) -> Check {
        blamed.retain(|(_, tokens)| !tokens.is_empty());
        let labels = operands.iter().map(|(label, _)| label.clone()).collect();
        Check { labels, blamed, otherwise, place: self.errors.place(), first, stated: Vec::new() }
    }

    fn add_node(
        &mut self,
        layer: usize,
        inferred: Option<Inferred>,
        operands: Vec<(String, Value)>,
        target: &Ident,
        check: Check,
    ) -> Value {
        let (inputs, operands) = operands.into_iter().map(|(_, value)| (value.nodes[0], value.source)).unzip();
        let check = inferred.is_none().then_some(check);
        let shape = inferred.map(|inferred| inferred.shape);
        self.nodes.push(Node { layer, tensor: target.clone(), inputs, shape, check });
        let node = self.nodes.len() - 1;
        Value { nodes: vec![node], source: Source::Apply { node, operands } }
    }

    /// The value of each argument in `table`, as far as it is given.
    fn values(&self, table: &[spec::Argument], filled: &[Option<Filled>]) -> Vec<Option<spec::Value>> {
        let strict = |argument: &spec::Argument| (self.strict && argument.name == "strict").then_some(spec::Value::Bool(true));
        let value = |(argument, filled): (&spec::Argument, &Option<Filled>)| match filled {
            Some(filled) => Some(filled.value.clone()),
            None => strict(argument),
        };
        table.iter().zip(filled).map(value).collect()
    }

    /// The layer with its arguments, if the rule book takes their values.
    fn layer(&mut self, call: &Call, table: &[spec::Argument], filled: &[Option<Filled>]) -> Option<Described> {
        let (kind, values) = (call.layer.to_string(), self.values(table, filled));
        if Layer::arguments(&kind).is_none() {
            return Some(Described::Model);
        }
        if call.layer == spec::Custom::NAME {
            let (_, layer) = filled.first()?.as_ref()?.constants.first()?;
            return Some(Described::Custom(custom::name(layer).unwrap_or(kind), layer.clone()));
        }
        let has_constants = values.iter().flatten().any(spec::Value::has_constants);
        let layer = match has_constants {
            false => Layer::from_values(&kind, &values).map(|layer| Described::Known(Box::new(layer))),
            true => Layer::sources(&kind, &values).map(|settings| {
                let constants = filled.iter().flatten().flat_map(|filled| filled.constants.clone());
                Described::Constants(settings, constants.collect::<Constants>())
            }),
        };
        match layer {
            Ok(layer) => Some(layer),
            Err(refusals) => {
                for (place, refusal) in refusals {
                    self.refused(call, &table[place], filled[place].as_ref(), refusal);
                }
                None
            }
        }
    }

    /// Reports that the rule book refuses what is given for `argument`.
    fn refused(&mut self, call: &Call, argument: &spec::Argument, filled: Option<&Filled>, refusal: spec::Refusal) {
        let help = refusal.unknown.map(|(word, words)| suggest::word(&word, words)).or(refusal.help);
        let help = features_first(call, argument, filled).or(help);
        let at = filled.map_or_else(
            || call.layer.to_token_stream(),
            |filled| refusal.element.map_or(&filled.given.tokens, |element| filled.given.element(element)).clone(),
        );
        let sizes =
            filled.and_then(|filled| if let spec::Value::Tuple(sizes) = &filled.value { Some(sizes.len()) } else { None });
        let note = match (argument.kind, sizes) {
            (spec::Kind::Sizes(axes), Some(sizes)) => sibling(&call.layer.to_string(), axes, sizes),
            _ => None,
        };
        let note = note.map_or_else(String::new, |layer| format!("`{layer}` is the layer of {} axes", sizes.unwrap_or_default()));
        self.errors.push(Problem::new(refusal.message).note(note).help(help.unwrap_or_default()).at(at));
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
        }
        self.use_everything();
        None
    }

    /// Reports a layer that should have been applied to something, once.
    fn not_applied(&mut self, held: usize, name: &Ident) {
        let held = &mut self.held[held];
        if !std::mem::replace(&mut held.is_used, true)
            && let Some(Err(error)) = held.layer.known().map(|layer| layer.infer(&[]))
        {
            held.unended.into_iter().for_each(|mistake| self.errors.withdraw(mistake));
            let help = format!("{}, or later by its name: `{name}(…)`", error.help);
            self.errors.push(Problem::new(error.message.to_string()).help(help).at(&held.call.layer));
            self.use_everything();
        }
    }

    /// Where tensors enter and leave, or `None` if that is unknown.
    fn ends(&mut self, outline: Option<&Outline>) -> Option<(Vec<usize>, Vec<Edge>)> {
        if let Some(outline) = outline {
            let inputs = self.listed_inputs(outline);
            let outputs: Vec<Option<Edge>> = outline.outputs.iter().map(|name| self.edge(name)).collect();
            return Some((inputs?, outputs.into_iter().collect::<Option<_>>()?));
        }
        let inputs = (0..self.nodes.len()).filter(|node| self.is_input(*node)).collect();
        let names: Vec<&Ident> = self.scope.last_names();
        let outputs: Vec<Option<Edge>> = names.into_iter().map(|name| self.edge(name)).collect();
        let outputs: Vec<Edge> = outputs.into_iter().collect::<Option<_>>()?;
        (!outputs.is_empty()).then_some((inputs, outputs))
    }

    fn edge(&mut self, name: &Ident) -> Option<Edge> {
        Some(Edge { node: self.resolve(name)?, tensor: name.clone() })
    }

    /// The inputs that `Model(…)` lists, which must be all there are.
    fn listed_inputs(&mut self, outline: &Outline) -> Option<Vec<usize>> {
        let (mut listed, mut all_fit) = (Vec::new(), true);
        for name in &outline.inputs {
            match self.resolve(name) {
                Some(node) => match self.unfit_input(name, node, &listed, outline) {
                    Some(problem) => {
                        self.errors.push(problem.at(name));
                        all_fit = false;
                    }
                    None => listed.push(node),
                },
                None => all_fit = false,
            }
        }
        if !all_fit {
            return None;
        }
        let is_used = |node| self.scope.bindings.iter().any(|binding| binding.node() == Some(node) && binding.is_used);
        let is_missing = |node: &usize| self.is_input(*node) && !listed.contains(node) && is_used(*node);
        let missing: Vec<usize> = (0..self.nodes.len()).filter(is_missing).collect();
        for node in missing {
            let tensor = &self.nodes[node].tensor;
            let inputs: Vec<String> = outline.inputs.iter().chain([tensor]).map(ToString::to_string).collect();
            let problem = Problem::new(format!("input `{tensor}` is missing from `Model(…)`"));
            self.errors.push(problem.help(format!("list it: `Model([{}], …)`", inputs.join(", "))).at(tensor));
        }
        Some(listed)
    }

    fn unfit_input(&self, name: &Ident, node: usize, listed: &[usize], outline: &Outline) -> Option<Problem> {
        if listed.contains(&node) {
            return Some(Problem::new(format!("input `{name}` is listed twice")).help("leave out one of them"));
        }
        let is_input = |name: &&Ident| self.scope.find(name).and_then(Binding::node).is_some_and(|node| self.is_input(node));
        let (inputs, outputs): (Vec<&Ident>, Vec<&Ident>) = outline.inputs.iter().chain(&outline.outputs).partition(is_input);
        let side = |names: Vec<&Ident>| match names.as_slice() {
            [] => "…".to_string(),
            [name] => name.to_string(),
            names => format!("[{}]", names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        };
        let help = format!("list the inputs first, the outputs second: `Model({}, {})`", side(inputs), side(outputs));
        (!self.is_input(node)).then(|| Problem::new(format!("`{name}` is not an `Input`")).help(help))
    }

    fn is_input(&self, node: usize) -> bool {
        self.layers[self.nodes[node].layer].kind == spec::Input::NAME
    }

    /// Reports every name of the scope that nothing uses, and every layer that is applied to nothing.
    fn unused(&mut self) {
        let held: Vec<(usize, &Ident)> =
            self.scope.bindings.iter().filter_map(|binding| Some((binding.layer()?, binding.name))).collect();
        held.into_iter().for_each(|(held, name)| self.not_applied(held, name));
        let bindings = std::mem::take(&mut self.scope.bindings);
        for (index, binding) in bindings.iter().enumerate() {
            let Some(node) = binding.node().filter(|_| !binding.is_used) else { continue };
            let name = binding.name;
            if !self.reported.insert(name) {
                continue;
            }
            let problem = match self.is_input(node) && self.nodes[node].tensor == *name {
                true => Problem::new(format!("input `{name}` reaches no output")),
                false => Problem::new(format!("`{name}` is never used")),
            };
            let is_rebound = bindings[index + 1..].iter().any(|later| later.name == name);
            let note = if is_rebound { "it is bound again before anything uses it" } else { "" };
            self.errors.push(problem.note(note).help("remove it, or use it on the way to the output").at(name));
        }
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
        None => problem.help(suggest::layer(&kind, blocks)),
    }
}

/// What to do about `Linear(512, 10)`, which in PyTorch begins with the size of the input.
fn features_first(call: &Call, argument: &spec::Argument, filled: Option<&Filled>) -> Option<String> {
    let is_second = Layer::arguments(&call.layer.to_string())?.get(1).is_some_and(|second| second.name == argument.name);
    let is_swapped = is_second && argument.kind == spec::Kind::Activation && matches!(filled?.value, spec::Value::Int(_));
    match call.arguments.as_deref()? {
        [first, second, ..] if is_swapped && first.keyword.is_none() && second.keyword.is_none() => {
            let call = format!("{}({})", call.layer, second.given.tokens);
            Some(format!("leave out the size of the input, which follows from the tensor: `{call}`"))
        }
        _ => None,
    }
}

/// The layer like `kind` for so many axes, as `Conv3D` is like `Conv2D`.
fn sibling(kind: &str, axes: usize, sizes: usize) -> Option<&'static str> {
    let name = kind.replace(&format!("{axes}D"), &format!("{sizes}D"));
    Layer::NAMES.iter().copied().find(|known| *known == name && name != kind)
}

/// The tokens of everything in a call that an error of the rule book may be about.
fn blamable(call: &Call, table: &[spec::Argument], filled: &[Option<Filled>]) -> Vec<(Blamed, TokenStream)> {
    let mut blamable = Vec::new();
    for (argument, filled) in table.iter().zip(filled) {
        let Some(filled) = filled else { continue };
        if let spec::Value::Tuple(values) = &filled.value {
            let element = |i| (Blamed::Element(argument.name, i), filled.given.element(i).clone());
            blamable.extend((0..values.len()).map(element));
        }
        if let Some((_, layer)) = filled.constants.first().filter(|_| argument.kind == spec::Kind::Layer) {
            blamable.extend(custom::fields(layer).into_iter().map(|(name, value)| (Blamed::Argument(name), value)));
        }
        blamable.push((Blamed::Argument(argument.name.to_string()), filled.given.tokens.clone()));
    }
    if let Some(tensors) = &call.tensors {
        let tokens = tensors.expressions.iter().map(token_of);
        blamable.extend(tokens.enumerate().map(|(i, tokens)| (Blamed::Input(i), tokens)));
        blamable.push((Blamed::Inputs, tensors.parentheses.to_token_stream()));
    }
    blamable
}

/// The token that an expression is known by.
fn token_of(expression: &Expression) -> TokenStream {
    match expression {
        Expression::Tensor(name) => name.to_token_stream(),
        Expression::Call(call) => call.layer.to_token_stream(),
        Expression::Sum { plus, .. } => plus.to_token_stream(),
    }
}

/// The tokens that an error of the rule book is about.
fn blamed(at: At, call: &Call, table: &[spec::Argument], filled: &[Option<Filled>]) -> TokenStream {
    let given = |name: &str| {
        let place = table.iter().position(|argument| argument.name == name)?;
        filled[place].as_ref().map(|filled| &filled.given)
    };
    let tokens = match (at, &call.tensors) {
        (At::Argument(name), _) => given(name).map(|given| given.tokens.clone()),
        (At::Element(name, index), _) => given(name).map(|given| given.element(index).clone()),
        (At::Input(index), Some(tensors)) => tensors.expressions.get(index).map(token_of),
        (At::Inputs, Some(tensors)) => Some(tensors.parentheses.to_token_stream()),
        _ => None,
    };
    tokens.unwrap_or_else(|| call.layer.to_token_stream())
}
