"""合成的手写数字：2.1、2.2、2.4、5.1 节的 MNIST 的替身，用 Matplotlib 自带的字体写

位置、斜度、大小、粗细、弯曲各不相同，所以卷积神经网络明显好于密集连接网络（5.1 节）
"""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = """DejaVuSans DejaVuSans-Bold DejaVuSans-Oblique DejaVuSansMono DejaVuSerif
DejaVuSerif-Bold DejaVuSerif-Italic STIXGeneral STIXGeneralItalic STIXGeneralBol
cmr10 cmss10 cmtt10 cmb10""".split()
CELL = 56  # 字模的边长，是图像的两倍，变形之后才不显锯齿


def draw_templates():
    """各种字体的字模，uint8，(字体数, 10, 56, 56)"""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    templates = np.zeros((len(FONTS), 10, CELL, CELL), "uint8")
    for row, digit in np.ndindex(len(FONTS), 10):
        font = ImageFont.truetype(str(folder / f"{FONTS[row]}.ttf"), 52)
        page = Image.new("L", (CELL, CELL))
        ImageDraw.Draw(page).text((28, 28), str(digit), 255, font, "mm")
        templates[row, digit] = page.filter(ImageFilter.BoxBlur(2))
    return templates


def draw_digits(rng, templates, labels):
    """每个标签画一张图，uint8，(n, 28, 28)"""

    def uniform(low, high):
        return rng.uniform(low, high, (len(labels), 1, 1)).astype("float32")

    # 由图像的像素找到字模里的位置，以中心为原点：平移、旋转、缩放、错切，再弯一弯
    grid, angle = np.arange(-27, 28, 2, dtype="float32"), uniform(-0.35, 0.35)
    x, y = grid - uniform(-6, 6), grid[:, None] - uniform(-6, 6)
    u = (np.cos(angle) * x + np.sin(angle) * y) * uniform(0.85, 1.35)
    v = (np.cos(angle) * y - np.sin(angle) * x) * uniform(0.85, 1.2)
    u += uniform(-0.45, 0.45) * v
    u += uniform(0, 4.5) * np.sin(0.13 * v + uniform(0, 6.3))
    v += uniform(0, 4.5) * np.sin(0.13 * u + uniform(0, 6.3))
    column, line = ((w + CELL / 2).astype("int32").clip(0, CELL - 1) for w in (u, v))
    font = rng.integers(0, len(templates), (len(labels), 1, 1))
    ink = templates[font, labels[:, None, None], line, column] / np.float32(255)
    # 阈值越高，笔画越细；再加一点噪声
    ink = ((ink - uniform(0.15, 0.48)) * 3 + 0.5).clip(0, 1)
    noise = 0.2 * rng.standard_normal(ink.shape, "float32")
    return (np.where(ink > 0, ink + noise, 0).clip(0, 1) * 255).astype("uint8")


def make_mnist(count=70_000, seed=0):
    """返回训练和测试的图像、标签，七分之六用来训练，形状和类型同 load_mnist"""
    rng, templates = np.random.default_rng(seed), draw_templates()
    labels = rng.integers(0, 10, count).astype("uint8")
    batches = np.split(labels, range(2000, count, 2000))  # 分批画，省内存
    images = np.concatenate([draw_digits(rng, templates, batch) for batch in batches])
    cut = count * 6 // 7
    return images[:cut], labels[:cut], images[cut:], labels[cut:]
