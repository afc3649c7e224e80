"""Reference values of the merging layers, which take several tensors: `input`, `input_1`, … with a gradient each."""


def write(golden):
    """Writes `merging.json`; `golden` is the module of `generate.py`, whose helpers this shares."""
    cases = golden.Cases("merging")
    keras, tf = golden.keras, golden.tf

    def case(name, layer, arguments, shapes):
        tensors = [tf.constant(golden.uniform(golden.draws(f"{name} {i}"), shape)) for i, shape in enumerate(shapes)]
        module = getattr(keras.layers, layer)(**arguments, dtype="float64")
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            output = module(tensors)
            upstream = golden.uniform(golden.draws(name + " upstream"), output.shape)
            loss = tf.reduce_sum(output * upstream)
        values = {"output": output, "upstream": upstream}
        for i, (xs, gradient) in enumerate(zip(tensors, tape.gradient(loss, tensors))):
            what = "input" if i == 0 else f"input_{i}"
            values |= {what: xs, f"{what}_gradient": gradient}
        cases.add(name, layer, arguments, values)

    for layer in ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]:
        for shape in [(3, 4, 5, 2), (1, 7), (3, 1, 1, 1)]:
            for count in [2] if layer == "Subtract" else [2, 3, 5]:
                case(f"{layer}, {count} of {'x'.join(map(str, shape))}", layer, {}, [shape] * count)
    channels = [(3, 4, 5, 2), (3, 4, 5, 1), (3, 4, 5, 3)]
    case("Concatenate, two", "Concatenate", {}, channels[:2])
    case("Concatenate, three", "Concatenate", {"axis": -1}, channels)
    case("Concatenate, channels counted from the batch", "Concatenate", {"axis": 3}, channels)
    case("Concatenate, rows", "Concatenate", {"axis": 1}, [(1, 4, 5, 2), (1, 2, 5, 2)])
    case("Concatenate, columns", "Concatenate", {"axis": -2}, [(1, 4, 5, 2), (1, 4, 1, 2)])
    case("Concatenate, vectors", "Concatenate", {}, [(3, 4), (3, 1)])
    for axes, shapes in [
        (1, [(3, 5), (3, 5)]),
        (-1, [(1, 7), (1, 7)]),
        ((1, 2), [(3, 4, 5), (3, 6, 4)]),
        (2, [(1, 4, 5), (1, 3, 5)]),
        (-1, [(3, 4, 5), (3, 5)]),
        ((1, 3), [(3, 2), (3, 4, 5, 2)]),
        ((2, 1), [(1, 3, 4, 2), (1, 4)]),
        ((-2, -1), [(3, 2, 3, 4), (3, 5, 3)]),
        (3, [(1, 2, 3, 5), (1, 4, 2, 5)]),
        (1, [(3, 1), (3, 1)]),
    ]:
        for normalize in [False, True]:
            sizes = " and ".join("x".join(map(str, shape)) for shape in shapes)
            name = f"Dot, axes {axes} of {sizes}{', normalized' if normalize else ''}"
            case(name, "Dot", {"axes": axes, "normalize": normalize}, shapes)
    cases.write()
