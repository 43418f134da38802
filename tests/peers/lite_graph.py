"""The lite backbone as an ONNX graph, from the weights that emofed itself reads: the peer of `lab-features-lite`."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

# Pixels on each side, channels of the image and after each dense block, and the training images' mean: src/core/model/lite.rs.
SIDE = 112
CHANNELS = [3, 32, 64, 128, 256]
MEAN = [122.782, 117.001, 104.298]


def build(weights):
    """Returns the graph from `image` [1, 3, 112, 112], RGB in [0, 1], to `features` [1, 256]."""
    nodes, constants = [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(kind, inputs, output=None, **attributes):
        output = output or f"{kind.lower()}{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def convolve(x, name, bias=None, **attributes):
        inputs = [x, constant(name, weights[name])] + ([constant(bias, weights[bias])] if bias else [])
        return node("Conv", inputs, **attributes)

    def separable(x, name, channels, halving=False):
        pads, stride = ([0, 0, 1, 1], 2) if halving else ([1, 1, 1, 1], 1)
        x = convolve(x, f"{name}.depthwise.weight", group=channels, pads=pads, strides=[stride, stride])
        return convolve(x, f"{name}.pointwise.weight", f"{name}.bias")

    mean = np.reshape(MEAN, (1, 3, 1, 1)) / 255
    x = node("Sub", ["image", constant("mean", mean)])
    for block in range(4):
        name = f"dense{block}"
        if block == 0:
            first = convolve(x, f"{name}.conv0.weight", f"{name}.conv0.bias", pads=[0, 0, 1, 1], strides=[2, 2])
        else:
            first = separable(x, f"{name}.conv0", CHANNELS[block], halving=True)
        total = node("Relu", [first])
        for conv in range(1, 4):
            read = total if conv == 1 else node("Relu", [total])
            total = node("Add", [separable(read, f"{name}.conv{conv}", CHANNELS[block + 1]), total])
        x = node("Relu", [total])
    node("Flatten", [node("GlobalAveragePool", [x])], "features", axis=1)

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    inputs, outputs = [value("image", [1, 3, SIDE, SIDE])], [value("features", [1, CHANNELS[-1]])]
    graph = helper.make_graph(nodes, "lite", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    checker.check_model(model)
    return model.SerializeToString()
