"""微型的合成数据，代替 common.synthetic 里同名的函数，一轮只要几毫秒

数据里有简单的规律可学，所以测试可以要求网络学会，而不只是没有出错
"""

from common.synthetic import JENA_COLUMNS

import numpy as np
import pandas as pd
from PIL import Image

VOCABULARY = 40  # 单词名次从 1 到 40


def sequences(rng, labels):
    """标签为 c 的序列，一半的词是第 c 个词，其余随机"""
    rows = np.empty(len(labels), dtype=object)
    for i, c in enumerate(labels):
        words = rng.integers(1, VOCABULARY + 1, rng.integers(8, 16))
        words[: len(words) // 2] = 1 + c % VOCABULARY
        rows[i] = words.tolist()
    return rows


def make_mnist():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 740).astype("uint8")
    images = rng.integers(0, 60, (740, 28, 28)).astype("uint8")
    for image, digit in zip(images, labels):
        image[2 * digit : 2 * digit + 4, 4:24] = 250  # 数字越大，横条越靠下
    labels[-30:] = (labels[-30:] + 1) % 10  # 测试集里 30 个标签是错的
    return images[:640], labels[:640], images[640:], labels[640:]


def make_imdb():
    rng = np.random.default_rng(0)
    labels = [rng.permutation(np.arange(n) % 2) for n in (120, 40)]
    return [(sequences(rng, y), y) for y in labels]


def make_reuters():
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(375) < 0.4, 3, rng.integers(0, 46, 375))
    return sequences(rng, labels), labels


def make_word_index(name):
    return {f"w{rank}": rank for rank in range(1, VOCABULARY + 1)}


def make_boston():
    rng = np.random.default_rng(0)
    x = rng.normal(5.0, [1.0 + i for i in range(13)], (50, 13))
    return x, 22 + 0.5 * (x[:, 0] - 5) + rng.normal(0, 0.5, 50)


def make_cats_dogs(folder):
    """猫上半张亮，狗下半张亮"""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        splits = ["train"] * 8 + ["validation"] * 4 + ["test"] * 4
        for number, split in enumerate(splits):
            target = folder / split / f"{name}s"
            target.mkdir(parents=True, exist_ok=True)
            image = rng.integers(0, 60, (50, 56, 3)).astype("uint8")
            image[: 25 if name == "cat" else None][25 * (name == "dog") :] += 180
            Image.fromarray(image).save(target / f"{name}.{number}.jpg")
    return folder


def make_jena(rows=2020):
    """气温有昼夜和几天一变的起伏，其余是噪声；有一个 -9999"""
    rng, step = np.random.default_rng(0), np.arange(rows)
    table = rng.normal(5.0, 1.0, (rows, len(JENA_COLUMNS)))
    table[:, 1] += 4 * np.sin(step / 144 * 2 * np.pi) + 3 * np.sin(step / 60)
    table[550, 11] = -9999.0
    index = pd.date_range("2009-01-01 00:10", periods=rows, freq="10min")
    return pd.DataFrame(table, index.rename("Date Time"), JENA_COLUMNS)


def make_frogs(count=60):
    """上半蓝、下半绿，所以转了多少度看得出来；24x24，判别器能接受的最小的图像"""
    frogs = np.random.default_rng(0).integers(0, 60, (count, 24, 24, 3))
    frogs[:, :12, :, 2] += 150
    frogs[:, 12:, :, 1] += 150
    return frogs.astype("uint8")
