"""合成的猫狗照片：5.2 节的照片拿不到时的替身，用程序画的猫和狗

毛色、花纹、背景、姿势、光线，猫和狗都出自同样的随机数，只有形状不同：耳朵、脸形、眼睛、
口鼻、尾巴，而且每一样都有例外，所以难认。在上面得到的数字不是书中的数字
"""

import shutil

from common import Fault

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = 160  # 照片的边长
COATS = np.array(  # 毛色，猫和狗都从这里取
    [(38, 36, 38), (96, 92, 92), (176, 172, 168), (236, 230, 222)]
    + [(222, 196, 156), (200, 128, 66), (140, 92, 56), (92, 60, 42)]
)
DARK, PINK = np.array([30, 26, 28]), np.array([226, 148, 146])


class Pen:
    """画在一张透明的图上：原点在正中，单位是头的半径，y 朝下"""

    def __init__(self, size=256, unit=46):
        self.image = Image.new("RGBA", (size, size))
        self.draw, self.size, self.unit = ImageDraw.Draw(self.image), size, unit

    def place(self, points):
        points = np.asarray(points, float) * self.unit + self.size / 2
        return [tuple(point) for point in points]

    def oval(self, x, y, rx, ry, color):
        box = self.place([(x - rx, y - ry), (x + rx, y + ry)])
        self.draw.ellipse([*box[0], *box[1]], tuple(int(c) for c in color))

    def shape(self, points, color):
        self.draw.polygon(self.place(points), tuple(int(c) for c in color))

    def line(self, points, width, color):
        width = max(1, round(width * self.unit))
        color = tuple(int(c) for c in color)
        self.draw.line(self.place(points), color, width, joint="curve")


# %% 一只动物


def draw_animal(label, rng):
    """返回透明背景的 RGBA 图；label，0 是猫，1 是狗"""
    pen = Pen()
    coat, other = COATS[rng.choice(len(COATS), 2, replace=False)]
    coat = (coat + rng.integers(-14, 15, 3)).clip(20, 250)
    dark, turn, nod = coat * 0.7, rng.uniform(-0.25, 0.25), rng.uniform(-0.12, 0.12)

    def like_a_cat(typical):  # 这一处像不像猫：猫多半像，狗多半不像
        return (label == 0) == (rng.random() < typical)

    draw_body(pen, rng, coat, other, like_a_cat(0.8))
    pointed, tall, flare = like_a_cat(0.85), rng.uniform(1.2, 1.6), rng.uniform(0.5, 1)
    if pointed:
        for side in (-1, 1):  # 竖着的三角形，里面是粉红的
            ear = np.array([(0.95, -0.3), (flare, -tall), (0.12, -0.75)]) * [side, 1]
            pen.shape(ear, dark)
            pen.shape(ear * 0.6 + [side * 0.24, -0.28], PINK * 0.5 + coat * 0.5)
    wide, high = (1.0, 0.85) if like_a_cat(0.8) else (0.86, 1.0)
    pen.oval(0, 0, wide, high, coat)
    draw_pattern(pen, rng, coat, other)
    if not pointed:
        for side in (-1, 1):  # 垂在两边
            pen.oval(side * (0.7 + 0.3 * flare), 0.1, 0.26, tall * 0.5, dark)
    draw_eyes(pen, rng, coat, turn, nod, like_a_cat(0.85))
    draw_muzzle(pen, rng, coat * 0.6 + other * 0.4, turn, nod, like_a_cat(0.85))
    return pen.image


def draw_body(pen, rng, coat, other, thin_tail):
    side, length = rng.choice([-1, 1]), rng.uniform(1.2, 2.0)
    width, reach = (0.16, 1.3) if thin_tail else (0.3, 0.8)
    tail = [(0.7, 2.0), (1.3, 1.9), (1.5, 2.0 - reach)]
    pen.line(np.array(tail) * [side, 1], width, coat * 0.75)
    pen.oval(side * 0.2, 1.7, 0.8 + 0.2 * length, length * 0.7, coat * 0.9)
    if rng.random() < 0.4:
        pen.oval(0, 1.5, 0.45, 0.8, other)  # 胸前的白毛之类
    pen.oval(0, 0.25, 0.9, 0.85, coat * 0.6)  # 头的影子


def draw_pattern(pen, rng, coat, other):
    kind = rng.integers(4)
    if kind == 1:  # 额头的条纹
        for x in (-0.4, -0.2, 0, 0.2, 0.4):
            pen.line([(x, -0.8), (x * 0.8, -0.4)], 0.07, coat * 0.5)
    for _ in range(rng.integers(1, 5) * (kind > 1)):  # 色块
        x, y, r = *rng.uniform(-0.5, 0.5, 2), rng.uniform(0.1, 0.4)
        pen.oval(x, y, r, r * rng.uniform(0.6, 1.2), other)


def draw_eyes(pen, rng, coat, turn, nod, slit):
    iris = [(150, 186, 84), (206, 186, 70), (130, 90, 50), (116, 176, 200)]
    iris, asleep = iris[rng.integers(4)], rng.random() < 0.15
    for side in (-1, 1):
        x, y = side * rng.uniform(0.34, 0.42) + turn, -0.15 + nod
        if asleep:
            pen.line([(x - 0.2, y), (x, y + 0.08), (x + 0.2, y)], 0.05, DARK)
        elif slit:  # 大而斜，瞳孔是一道竖缝
            slant = [(-0.25, 0.08), (0, -0.18), (0.27, -0.1), (0, 0.16)]
            pen.shape(np.array(slant) * [side, 1] + [x, y], iris)
            pen.oval(x, y, 0.06, 0.15, DARK)
        else:  # 圆，深色
            pen.oval(x, y, 0.17, 0.17, np.array(iris) * 0.6)
            pen.oval(x, y, 0.11, 0.11, DARK)
            pen.oval(x - 0.05, y - 0.05, 0.03, 0.03, (250, 250, 250))


def draw_muzzle(pen, rng, pad, turn, nod, small):
    x, y = 1.4 * turn, 0.36 + 1.5 * nod
    whiskers = COATS[3] if rng.random() < 0.7 else DARK
    if small:  # 两瓣嘴唇，粉红的三角鼻子，长胡须
        for side in (-1, 1):
            pen.oval(x + side * 0.15, y + 0.12, 0.2, 0.16, pad)
        pen.shape([(x - 0.12, y - 0.08), (x + 0.12, y - 0.08), (x, y + 0.06)], PINK)
    else:  # 长而宽，大鼻子，有时吐舌头
        pen.oval(x, y + 0.15, 0.45, 0.42, pad)
        if rng.random() < 0.3:
            pen.oval(x, y + 0.55, 0.15, 0.25, PINK * 0.95)
        pen.oval(x, y - 0.05, 0.2, 0.15, DARK)
        pen.line([(x, y), (x, y + 0.3)], 0.04, DARK)
    if small or rng.random() < 0.3:
        for side, rise in [(-1, -0.2), (-1, 0.05), (1, -0.2), (1, 0.05)]:
            end = x + side * rng.uniform(0.7, 1.1), y + rise + rng.uniform(0, 0.2)
            pen.line([(x + side * 0.25, y + 0.1), end], 0.025, whiskers)


# %% 一张照片


def draw_clutter(image, rng, n):
    """随便什么东西：方块、椭圆、三角形，有的正好像耳朵"""
    draw = ImageDraw.Draw(image)
    for _ in range(n):
        x, y = rng.uniform(-0.1, 1, 2) * SIZE
        w, h = rng.uniform(0.05, 0.35, 2) * SIZE
        color = tuple(int(c) for c in rng.integers(30, 226, 3))
        if rng.random() < 0.4:
            draw.polygon([(x, y + h), (x + w, y + h), (x + w / 2, y)], color)
        else:
            shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
            shape([x, y, x + w, y + h], color)


def draw_photo(label, rng):
    """返回一张照片，PIL.Image，160x160；label，0 是猫，1 是狗；rng，随机数生成器"""
    top, bottom = rng.integers(30, 226, (2, 3))
    t = np.linspace(0, 1, SIZE)[:, None, None]
    image = np.tile((1 - t) * top + t * bottom, (1, SIZE, 1)).astype("uint8")
    image = Image.fromarray(image)
    draw_clutter(image, rng, rng.integers(1, 10))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 4)))
    # 三分之二拍得清楚；其余的太小、太歪、只露出一半，网络只好死记硬背
    clear = rng.random() < 0.67
    side = round(SIZE * (rng.uniform(1.1, 1.7) if clear else rng.uniform(0.6, 0.9)))
    pet = draw_animal(label, rng).rotate(rng.normal(0, 12 if clear else 30), 3)
    pet = pet.resize((side, side), Image.Resampling.BOX)
    x, y = SIZE * (0.5 + rng.uniform(-1, 1, 2) * (0.13 if clear else 0.35)) - side / 2
    image.paste(pet, (round(x), round(y)), pet)
    draw_clutter(image, rng, rng.integers(0, 3))  # 有时前面有东西挡着
    image = image.filter(ImageFilter.GaussianBlur(max(0, rng.normal(0, 0.7))))
    pixels = (np.asarray(image, float) - 118) * rng.uniform(0.7, 1.3)
    pixels = (pixels + rng.uniform(95, 145)) * rng.uniform(0.88, 1.12, 3)  # 明暗、偏色
    pixels += rng.normal(0, rng.uniform(2, 10), pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def make_cats_dogs(folder, counts=(1000, 500, 500)):
    """画成书中的文件夹，画过就不再画；counts，三个部分每一类的张数；返回 folder"""
    if folder.is_dir():
        return folder
    print(f"合成照片画在 {folder}，要一分钟左右", flush=True)
    building = folder.with_name(f".{folder.name}.building")  # 画完了才改成正式的名字
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir(parents=True)
        for label, name in enumerate(("cat", "dog")):
            start = 0
            for split, count in zip(("train", "validation", "test"), counts):
                target = building / split / f"{name}s"
                target.mkdir(parents=True)
                for number in range(start, start + count):
                    photo = draw_photo(label, np.random.default_rng((0, label, number)))
                    photo.save(target / f"{name}.{number}.jpg", quality=90)
                start += count
        return building.rename(folder)
    except OSError as error:
        why = f"不能写入 {building.parent}：{error}"
        raise Fault(f"{why}，用 KERAS_HOME 换一个文件夹") from None
