"""onnxruntime: a model of one matrix product, written here byte by byte (onnx.proto), and what it answers."""

import struct

import numpy
import onnxruntime


def field(number, value):
    """A field of a protocol buffer: a number, or what has a length."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def tensor_type(*shape):
    dimensions = b"".join(field(1, field(1, size)) for size in shape)
    return field(1, field(1, 1) + field(2, dimensions))


def named(name, *shape):
    return field(1, name) + field(2, tensor_type(*shape))


weights = struct.pack("<4f", 1, 2, 3, 4)
initializer = field(1, 2) + field(1, 2) + field(2, 1) + field(8, b"w") + field(9, weights)
node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"MatMul")
graph = field(1, node) + field(2, b"product") + field(5, initializer) + field(11, named(b"x", 1, 2)) + field(12, named(b"y", 1, 2))
model = field(1, 8) + field(7, graph) + field(8, field(2, 13))

session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
print("product", session.run(None, {"x": numpy.array([[1, 1]], numpy.float32)})[0].tolist())
