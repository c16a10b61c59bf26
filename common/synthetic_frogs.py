"""合成的青蛙：8.5 节的 CIFAR-10 拿不到时的替身，32x32 的彩色图，用程序画的

正面、侧面、从上面看三种姿势，身体、眼睛、腿、颜色、花纹、水塘或叶子的背景、光线都
是随机的，够一个 GAN 学一阵子。在上面得到的数字不是书中的数字
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_SIZE = 32
_SCALE = 4  # 先画得大四倍，再缩小，边缘才平滑

_SKINS = [  # 皮肤，青蛙有绿的、棕的、黄的
    *((86, 140, 52), (112, 160, 60), (60, 104, 50), (140, 150, 70), (90, 82, 48)),
    *((128, 98, 60), (150, 122, 78), (84, 70, 56), (176, 160, 80), (70, 120, 90)),
]
_GROUNDS = [  # 背景：水、叶子、泥土、石头
    *((58, 84, 88), (44, 66, 74), (90, 120, 110), (70, 110, 50), (100, 140, 70)),
    *((120, 100, 76), (88, 74, 58), (150, 140, 126), (196, 190, 180), (40, 52, 36)),
]


def _shade(color, amount):
    """amount 大于 0 变亮，小于 0 变暗"""
    return tuple(int(np.clip(c + 255 * amount, 0, 255)) for c in color)


class _Pen:
    """在青蛙自己的坐标里画：原点在身体正中，单位是身体的半径"""

    def __init__(self, image, origin, unit, angle, squash):
        self.draw = ImageDraw.Draw(image)
        self.origin, self.unit = np.asarray(origin), unit
        cos, sin = np.cos(angle), np.sin(angle)
        self.matrix = np.array([[cos, sin], [-sin * squash, cos * squash]])

    def place(self, points):
        points = np.asarray(points, float) @ self.matrix * self.unit + self.origin
        return [tuple(point) for point in points]

    def blob(self, x, y, width, height, fill):
        """椭圆，width 和 height 是半轴"""
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        points = np.c_[x + width * np.cos(angle), y + height * np.sin(angle)]
        self.draw.polygon(self.place(points), fill)

    def limb(self, points, width, fill):
        """一段一段的腿，关节是圆的"""
        placed = self.place(points)
        width = max(2, width * self.unit)
        self.draw.line(placed, fill, round(width), joint="curve")
        for x, y in placed:
            r = width / 2
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill)


def _background(rng, size):
    """水塘的波纹，或者叶子、泥土的斑块"""
    base = _SKINS[rng.integers(len(_SKINS))] if rng.random() < 0.2 else None
    base = base or _GROUNDS[rng.integers(len(_GROUNDS))]
    coarse = rng.normal(0, rng.uniform(0.02, 0.12), (rng.integers(3, 9), 5))
    if rng.random() < 0.4:  # 波纹是横的
        coarse = np.repeat(coarse[:, :1], 5, axis=1)
    patches = np.array([[_shade(base, amount) for amount in row] for row in coarse])
    image = Image.fromarray(patches.astype("uint8")).resize((size, size), 3)
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 4)):  # 浮萍、草、石子
        x, y = rng.uniform(0, size, 2)
        w, h = size * rng.uniform(0.05, 0.35), size * rng.uniform(0.03, 0.2)
        fill = _shade(_GROUNDS[rng.integers(len(_GROUNDS))], rng.normal(0, 0.05))
        draw.ellipse((x - w, y - h, x + w, y + h), fill)
    return image


def _spots(rng, pen, color, y):
    for _ in range(rng.integers(3, 9)):
        px, py, r = rng.uniform(-0.6, 0.6), rng.uniform(y - 0.4, y + 0.4), 0
        r = rng.uniform(0.06, 0.18)
        pen.blob(px, py, r, r * 0.8, color)


def _eye(rng, pen, x, y, size, skin):
    pen.blob(x, y, size, size, _shade(skin, 0.08))
    iris = [(220, 190, 60), (190, 120, 40), (230, 220, 160)][rng.integers(3)]
    pen.blob(x, y - 0.02, size * 0.75, size * 0.75, iris)
    pen.blob(x, y, size * 0.5, size * 0.38, (18, 16, 14))
    pen.blob(x - size * 0.2, y - size * 0.25, size * 0.14, size * 0.14, (250,) * 3)


def _front(rng, pen, skin, belly, dark, spotted):
    """蹲着，正对着镜头"""
    for side in (-1, 1):
        knee = 1.0 + rng.uniform(0, 0.25)
        pen.limb([(side * 0.5, 0.6), (side * knee, 0.1), (side * 0.9, 0.8)], 0.34, dark)
    pen.blob(0, 0.15, 0.85, 0.75, skin)
    if spotted:
        _spots(rng, pen, dark, 0.0)
    pen.blob(0, 0.45, 0.55, 0.42, belly)
    for side in (-1, 1):
        arm = [(side * 0.45, 0.35), (side * 0.55, 0.7), (side * 0.4, 0.95)]
        pen.limb(arm, 0.2, skin)
        pen.limb([(side * 0.4, 0.95), (side * 0.65, 1.0)], 0.12, skin)
    pen.blob(0, -0.25, 0.75, 0.45, skin)
    pen.limb([(-0.5, -0.15), (0, -0.05), (0.5, -0.15)], 0.07, dark)
    for side in (-1, 1):
        _eye(rng, pen, side * 0.48, -0.6, rng.uniform(0.22, 0.32), skin)


def _side(rng, pen, skin, belly, dark, spotted):
    """侧面蹲着，头朝右"""
    pen.blob(-0.1, 0.1, 1.0, 0.55, skin)
    pen.blob(0.2, 0.4, 0.7, 0.28, belly)
    pen.blob(0.65, -0.25, 0.55, 0.38, skin)
    if spotted:
        _spots(rng, pen, dark, -0.1)
    hip = rng.uniform(-0.8, -0.5)
    pen.limb([(hip, 0.3), (hip + 0.6, 0.0), (hip, 0.8), (hip + 0.7, 0.85)], 0.26, dark)
    pen.limb([(0.45, 0.3), (0.5, 0.75), (0.75, 0.85)], 0.18, skin)
    pen.limb([(0.7, -0.08), (1.15, -0.12)], 0.06, dark)
    _eye(rng, pen, 0.7, -0.5, rng.uniform(0.2, 0.28), skin)


def _above(rng, pen, skin, belly, dark, spotted):
    """从上面看，趴着或者在游"""
    stretch = rng.uniform(0, 0.7)
    for side in (-1, 1):
        hind = [(side * 0.3, 0.6), (side * 0.95, 0.35 + stretch)]
        hind += [(side * 0.5, 0.9 + stretch), (side * 0.95, 1.1 + stretch)]
        pen.limb(hind, 0.24, dark)
        pen.limb(
            [(side * 0.4, -0.2), (side * 0.9, -0.1), (side * 1.0, -0.5)], 0.17, dark
        )
    pen.blob(0, 0.2, 0.58, 0.75, skin)
    pen.blob(0, -0.45, 0.48, 0.45, skin)
    if rng.random() < 0.5:  # 背上的一道条纹
        pen.limb([(0, -0.6), (0, 0.7)], 0.12, belly)
    if spotted:
        _spots(rng, pen, dark, 0.1)
    for side in (-1, 1):
        _eye(rng, pen, side * 0.36, -0.6, rng.uniform(0.15, 0.22), skin)


def draw(rng):
    """画一只青蛙，返回 uint8，(32, 32, 3)"""
    size = _SIZE * _SCALE
    image = _background(rng, size)
    skin = _shade(_SKINS[rng.integers(len(_SKINS))], rng.normal(0, 0.06))
    belly = _shade(skin, rng.uniform(0.12, 0.4))
    dark = _shade(skin, -rng.uniform(0.05, 0.25))
    pose = (_front, _side, _above)[rng.choice(3, p=(0.4, 0.35, 0.25))]
    turn = rng.normal(0, 0.25) if pose is not _above else rng.uniform(0, 2 * np.pi)
    unit = size * rng.uniform(0.24, 0.42)
    origin = size * (0.5 + rng.normal(0, 0.06, 2))
    shadow = _Pen(image, origin + unit * np.array([0.1, 0.55]), unit, 0, 1)
    shadow.blob(0, 0, 1.1, 0.5, _shade(image.getpixel((4, size - 4)), -0.12))
    pen = _Pen(image, origin, unit, turn, rng.uniform(0.8, 1.1))
    pose(rng, pen, skin, belly, dark, spotted=rng.random() < 0.6)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 3)))
    pixels = np.asarray(image.resize((_SIZE, _SIZE), Image.Resampling.BOX), float)
    # 光从一边来，明暗、反差、色调各不相同
    y, x = np.mgrid[:_SIZE, :_SIZE] / _SIZE - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 + rng.uniform(0, 0.5) * (x * np.cos(angle) + y * np.sin(angle))
    pixels = (pixels - 110) * rng.uniform(0.7, 1.25) + 110 + rng.normal(0, 18)
    pixels = pixels * light[..., None] * rng.normal(1, 0.05, 3)
    pixels += rng.normal(0, 3, pixels.shape)
    return pixels.clip(0, 255).astype("uint8")


def make_frogs(count=5000, seed=0):
    """8.5 节的替身，返回 uint8，(count, 32, 32, 3)；张数少的就是开头的那些"""
    return np.stack([draw(np.random.default_rng((seed, i))) for i in range(count)])
