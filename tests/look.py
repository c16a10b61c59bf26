"""各个测试共用的眼睛：看打印的表格、存下的图和模型"""

import itertools
import unicodedata

import keras
import numpy as np


def images(folder):
    return sorted(path.stem for path in folder.glob("*.png"))


def width(line):
    """占几列：一个汉字占两列"""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def table_after(text, *header):
    """打印的文字里，最后一个这样的表头之后，和它同样宽的各行"""
    lines = text.splitlines()
    start = max(i for i, line in enumerate(lines) if line.split() == list(header))
    wide = width(lines[start])
    same = itertools.takewhile(lambda x: width(x) == wide, lines[start + 1 :])
    return [line.split() for line in same]


def comparison(text):
    return table_after(text, "项目", "书中", "本次")


def shapes(model):
    return [weight.shape for weight in model.get_weights()]


def weights(model):
    return [np.array(weight) for weight in model.get_weights()]


def changed(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after)]


def assert_saved(path, model):
    """读得回来，权重相同"""
    assert not any(changed(weights(keras.models.load_model(path)), weights(model)))
