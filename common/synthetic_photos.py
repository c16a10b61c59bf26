"""合成的猫狗照片：5.2 节的照片拿不到时的替身，用程序画的猫和狗，存成真的 JPEG

猫和狗的毛色、花纹、背景、光线、姿势都出自同样的随机数，只有形状不同：耳朵、口鼻、
眼睛、胡须、尾巴；颜色和文件大小看不出类别（由 tests/test_synthetic_photos.py 保证）。
三分之一的照片太小、太歪或者只露出一半，难认。在上面得到的数字不是书中的数字
"""

import os
from contextlib import suppress
from copy import copy
from functools import cache
from pathlib import Path

from common import output

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_VERSION = 1  # 画法变了就加一，旧的照片会重画

_COATS = [  # 毛色，猫和狗都从这里取
    *((38, 36, 38), (74, 70, 70), (128, 126, 128), (176, 172, 168)),
    *((236, 230, 222), (222, 196, 156), (204, 152, 92), (200, 118, 56)),
    *((140, 92, 56), (92, 60, 42), (168, 140, 112), (112, 104, 92)),
]
_PATTERNS = ("solid", "stripes", "patches", "spots", "mask", "blaze")
_DARK = (30, 26, 28)
_PINK = (226, 148, 146)


def _mix(color, other, share):
    """两种颜色按比例混合，share 是 other 占的比例"""
    return tuple(round(a + (b - a) * share) for a, b in zip(color, other))


def _smooth(points, closed=True, steps=6):
    """过这些点的光滑曲线（Catmull-Rom 样条），(n, 2) 变成 (n * steps, 2)"""
    p = np.asarray(points, float)
    if closed:
        p = np.concatenate([p[-1:], p, p[:2]])
    else:
        p = np.concatenate([p[:1], p, p[-1:]])
    a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
    t = np.linspace(0, 1, steps, endpoint=not closed)[:, None]
    curve = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
    return ((curve + (3 * b - a - 3 * c + d) * t**3) / 2).reshape(-1, 2)


def _circle(n=28):
    angle = np.arange(n) * (2 * np.pi / n)
    return np.column_stack([np.cos(angle), np.sin(angle)])


_CIRCLE = _circle()


class _Pen:
    """在动物自己的坐标里画：原点在头的正中，单位是头的半径，y 朝下

    参数：images，同时画在这几张图上；origin、unit，原点的位置和单位有多少像素；
        angle，歪了多少弧度
    """

    def __init__(self, images, origin, unit, angle):
        self.draws = [ImageDraw.Draw(image) for image in images]
        self.origin, self.unit = np.asarray(origin, float), unit
        cos, sin = np.cos(angle) * unit, np.sin(angle) * unit
        self.matrix = np.array([[cos, sin], [-sin, cos]])

    def on(self, *images):
        """同一个位置，画在别的图上"""
        pen = copy(self)
        pen.draws = [ImageDraw.Draw(image) for image in images]
        return pen

    def place(self, points):
        points = np.asarray(points, float) @ self.matrix + self.origin
        return points.ravel().tolist()

    def shape(self, points, *fills, smooth=True):
        """多边形，smooth 则把棱角磨圆；fills，每张图上各用什么颜色"""
        points = self.place(_smooth(points) if smooth else points)
        for draw, fill in zip(self.draws, fills):
            draw.polygon(points, fill=fill)

    def oval(self, x, y, rx, ry, *fills, angle=0.0):
        cos, sin = np.cos(angle), np.sin(angle)
        points = _CIRCLE * [rx, ry] @ [[cos, sin], [-sin, cos]] + [x, y]
        self.shape(points, *fills, smooth=False)

    def line(self, points, width, *fills):
        """光滑的曲线，width 以头的半径为单位"""
        points = self.place(_smooth(points, closed=False))
        width = max(1, round(width * self.unit))
        for draw, fill in zip(self.draws, fills):
            draw.line(points, fill=fill, width=width, joint="curve")


# %% 毛色和花纹


def _coat(rng):
    """一身毛：两种颜色和花纹，猫和狗都一样"""
    first, second = rng.choice(len(_COATS), 2, replace=False)
    base, other = _COATS[first], _COATS[second]
    if rng.random() < 0.4:
        other = (240, 236, 230)  # 白色最常见
    jitter = rng.integers(-14, 15, 3)
    base = tuple(int(c) for c in np.clip(base + jitter, 20, 250))
    return {
        **{"base": base, "other": other, "pattern": rng.choice(_PATTERNS)},
        **{"muzzle": rng.random() < 0.45, "chest": rng.random() < 0.4},
    }


def _draw_pattern(pen, rng, coat, x, y, rx, ry):
    """在以 (x, y) 为中心的一块毛上画花纹，越界的部分之后裁掉"""
    base, other, pattern = coat["base"], coat["other"], coat["pattern"]
    if pattern == "stripes":
        dark = _mix(base, _DARK, rng.uniform(0.35, 0.6))
        for i in range(-3, 4):
            bend, at = rng.uniform(-0.1, 0.1), x + i * rx * 0.3
            top = [at, y - ry], [at + bend, y - 0.75 * ry], [at * 0.9, y - 0.5 * ry]
            pen.line(top, 0.09 * rx, dark)
        for side in (-1, 1):
            for height in (-0.1, 0.15, 0.4, 0.65):
                start = x + side * rx * 1.1, y + ry * (height - 0.1)
                end = x + side * rx * rng.uniform(0.55, 0.75), y + ry * height
                pen.line([start, end], 0.09 * rx, dark)
    elif pattern == "patches":
        for _ in range(rng.integers(1, 4)):
            at = x + rx * rng.uniform(-0.9, 0.9), y + ry * rng.uniform(-1, 0.6)
            spread = rng.uniform(0.7, 1.3, (8, 1)) * rng.uniform(0.3, 0.65)
            pen.shape(_circle(8) * spread * [rx, ry] + at, other)
    elif pattern == "spots":
        for _ in range(rng.integers(8, 20)):
            radius = rng.uniform(0.05, 0.13) * rx
            at = x + rx * rng.uniform(-1, 1), y + ry * rng.uniform(-1, 1)
            pen.oval(*at, radius, radius * rng.uniform(0.7, 1.3), other)


def _furry(pen, rng, coat, canvas, mask, points, box, is_head):
    """用这身毛填满一个形状：先画底色和花纹，再按形状裁下来"""
    cloth = Image.new("RGB", canvas.size, coat["base"])
    inner, (x, y, rx, ry) = pen.on(cloth), box
    _draw_pattern(inner, rng, coat, x, y, rx, ry)
    if is_head and coat["pattern"] == "mask":  # 脸色深，像暹罗猫和八哥犬
        inner.oval(x, 0.45, 0.75, 0.75, _mix(coat["base"], _DARK, 0.55))
    if is_head and coat["pattern"] == "blaze":  # 额头到鼻子一道白
        blaze = [[0, -1.1], [0.13, -0.4], [0.3, 0.9], [-0.3, 0.9], [-0.13, -0.4]]
        inner.shape(np.array(blaze) + [x, 0], coat["other"])
    if not is_head and coat["chest"]:
        inner.oval(0, 1.35, 0.55, 0.8, coat["other"])
    part = Image.new("L", canvas.size, 0)
    pen.on(part, mask).shape(points, 255, 255)
    canvas.paste(cloth, mask=part)


# %% 身体：画在头的后面，猫和狗几乎一样


def _draw_body(pen, rng, coat, canvas, mask, label, side):
    base = coat["base"]
    shade = _mix(base, _DARK, 0.25)
    lying = rng.random() < 0.4
    length = rng.uniform(1.4, 2.2)
    # 尾巴：猫的细长，狗的粗短一些
    reach, wide = (1.5, 0.2) if label == 0 else (1.1, 0.26)
    reach, wide = reach * rng.uniform(0.7, 1.2), wide * rng.uniform(0.8, 1.2)
    start = np.array([side * (length + 0.4), 1.6] if lying else [side * 0.7, 2.6])
    curl = rng.uniform(-0.9, 0.3)
    tail = [[0, 0], [0.6, -0.1], [0.9, -0.6], [0.9 + 0.4 * curl, -1.2]]
    pen.line(start + np.array(tail) * [side * reach / 1.3, reach], wide, shade, 255)
    if lying:
        body = [[-0.7, 0.3], [0.5, 0.4], [length, 0.7], [length + 0.7, 1.6]]
        body += [[length + 0.3, 2.2], [0.3, 2.2], [-0.8, 2.0], [-0.95, 1.1]]
        body = np.array(body) * [side, 1]
        middle = side * length / 2, 1.4, 1.2 + length / 2, 0.9
    else:
        wide = rng.uniform(0.85, 1.25)
        body = [[-0.55, 0.3], [0.55, 0.3], [0.8 * wide, 1.4], [1.05 * wide, 2.6]]
        body += [[0.7, 3.4], [-0.7, 3.4], [-1.05 * wide, 2.6], [-0.8 * wide, 1.4]]
        middle = 0, 2.0, 1.0, 1.5
    _furry(pen, rng, coat, canvas, mask, body, middle, is_head=False)
    paw = coat["other"] if coat["chest"] else base
    for i in (-1, 1):
        if lying:
            x, y = side * -0.2 + i * 0.45, 2.1
            pen.oval(x, y, 0.38, 0.22, _mix(paw, _DARK, 0.08), 255)
        else:
            x, y = i * 0.38, 3.3
            leg = [[x - 0.25, 1.9], [x + 0.25, 1.9], [x + 0.27, 3.2], [x - 0.27, 3.2]]
            pen.shape(leg, _mix(base, _DARK, 0.12), 255)
            pen.oval(x, y, 0.34, 0.2, _mix(paw, _DARK, 0.05), 255)
        for toe in (-0.1, 0.1):
            pen.line([[x + toe, y], [x + toe, y + 0.16]], 0.03, shade, 255)
    # 头在胸前投下的影子，把头和身体分开
    pen.oval(0, 0.3, 0.9, 0.85, _mix(base, _DARK, 0.35))


# %% 猫


def _draw_whiskers(pen, rng, x, y, long):
    """胡须：明暗不一，有的几乎看不见；狗也有，只是短"""
    color = (240, 238, 232) if rng.random() < 0.7 else _DARK
    alpha = int(rng.integers(50, 255))
    for side in (-1, 1):
        for rise in (-0.16, 0.0, 0.16):
            start = np.array([x + side * 0.28, y + rise * 0.4])
            bend = np.array([side * 0.5 * long, rise * 0.8 + rng.uniform(-0.05, 0.05)])
            end = np.array([side * long, rise * 2 + rng.uniform(-0.1, 0.15)])
            pen.line([start, start + bend, start + end], 0.025, color, alpha)


def _draw_cat(pen, rng, coat, canvas, mask, turn, nod):
    base = coat["base"]
    dark = _mix(base, _DARK, 0.3)
    inside = _mix(_PINK, base, rng.uniform(0.1, 0.7))
    tall, spread = rng.uniform(1.25, 1.6), rng.uniform(0.62, 0.9)
    folded = rng.random() < 0.06  # 折耳猫
    for side in (-1, 1):
        near = 1 + 0.25 * side * turn
        tip = np.array([side * spread, -tall]) + rng.normal(0, 0.05, 2)
        outer, inner = [side * 0.93, -0.3], [side * 0.16 * near, -0.8]
        if folded:
            tip = np.array([side * 0.85, -0.95])
        ear = np.array([outer, tip * [near, 1], inner])
        pen.shape([*ear, [0, 0]], dark, 255, smooth=False)
        middle = np.array([side * 0.58, -0.55])
        pen.shape(middle + (ear - middle) * 0.68, inside, 255, smooth=False)
    jaw, cheek = rng.uniform(0.68, 0.85), rng.uniform(0.95, 1.12)
    head = [[0, -0.86], [0.55, -0.8], [0.93, -0.3], [cheek, 0.25], [0.62, jaw - 0.1]]
    head += [[0, jaw + 0.02]] + [[-x, y] for x, y in head[:0:-1]]
    box = 0.25 * turn, 0, 1.0, 0.9
    _furry(pen, rng, coat, canvas, mask, head, box, is_head=True)
    # 眼睛：又大又斜，瞳孔是一道竖缝，暗处张得圆一些
    iris = [(150, 186, 84), (206, 186, 70), (150, 100, 50), (116, 176, 200)]
    iris = iris[rng.choice(4, p=[0.3, 0.25, 0.3, 0.15])]
    open_, pupil = rng.uniform(0.15, 0.22), rng.uniform(0.05, 0.17)
    apart, asleep = rng.uniform(0.36, 0.45), rng.random() < 0.18
    for side in (-1, 1):
        x, y = side * apart + 0.3 * turn, -0.05 + 0.25 * nod
        wide = 0.22 * (1 - 0.25 * side * turn)
        if asleep:
            arc = [[x - wide, y], [x, y + 0.09], [x + wide, y]]
            pen.line(arc, 0.05, _DARK, 255)
            continue
        slant = -0.25 * side
        almond = [[-1, 0.25], [-0.3, -0.85], [0.5, -0.8], [1, -0.15], [0.4, 0.8]]
        almond = np.array([*almond, [-0.4, 0.85]]) * [-side, 1]
        pen.shape(almond * [wide * 1.16, open_ * 1.2] + [x, y], _DARK, 255)
        pen.shape(almond * [wide, open_] + [x, y], iris, 255)
        pen.oval(x, y, pupil, open_ * 0.92, (16, 14, 16), 255, angle=slant * 0.3)
        pen.oval(x - 0.06, y - 0.08, 0.04, 0.04, (250, 250, 250), 255)
    # 口鼻：短，两瓣嘴唇，小小的三角鼻子，嘴像一个 w
    x, y = 0.45 * turn, 0.36 + 0.3 * nod
    pad = _mix(coat["other"] if coat["muzzle"] else base, (255, 250, 245), 0.25)
    pen.oval(x, y + 0.3, 0.17, 0.13, _mix(pad, _DARK, 0.06), 255)
    for side in (-1, 1):
        pen.oval(x + side * 0.16, y + 0.15, 0.23, 0.18, pad, 255)
    nose = _mix(_PINK, _DARK, rng.choice([0.05, 0.2, 0.75]))
    wide = rng.uniform(0.1, 0.15)
    tip = [[x - wide, y - 0.08], [x + wide, y - 0.08], [x, y + 0.07]]
    pen.shape(tip, nose, 255)
    ink = _mix(pad, _DARK, 0.7)
    mouth = [[x - 0.25, y + 0.2], [x - 0.12, y + 0.26], [x, y + 0.16]]
    pen.line([[x, y + 0.05], [x, y + 0.16]], 0.04, ink, 255)
    pen.line(mouth, 0.04, ink, 255)
    pen.line([[2 * x - px, py] for px, py in mouth], 0.04, ink, 255)
    _draw_whiskers(pen, rng, x, y + 0.14, rng.uniform(0.7, 1.15))


# %% 狗


def _draw_dog(pen, rng, coat, canvas, mask, turn, nod):
    base = coat["base"]
    tint = coat["other"] if coat["pattern"] == "patches" else _DARK
    dark = _mix(base, tint, rng.uniform(0.2, 0.6))
    kind = rng.choice(["hanging", "semi", "upright"], p=[0.55, 0.2, 0.25])
    drop, flare = rng.uniform(0.25, 0.9), rng.uniform(0.95, 1.25)
    tip = rng.uniform(1.35, 1.7)
    inside = _mix(_mix(_PINK, base, 0.5), _DARK, 0.15)

    def draw_ear(side):
        near = 1 + 0.25 * side * turn
        if kind == "hanging":
            ear = [[0.45, -0.8], [0.9, -0.78], [flare, -0.3], [flare + 0.05, drop]]
            ear += [[flare - 0.2, drop + 0.22], [0.75, drop * 0.7], [0.7, -0.2]]
            pen.shape(np.array(ear) * [side * near, 1], dark, 255)
            return
        if kind == "semi":  # 耳根竖着，耳尖朝前折下来
            ear = [[0.22, -0.84], [0.5, -1.12], [0.95, -1.05], [1.05, -0.75]]
            ear += [[flare - 0.15, drop - 0.75], [0.72, -0.55]]
            pen.shape(np.array(ear) * [side * near, 1], dark, 255)
            return
        ear = np.array([[0.9, -0.3], [0.84, -tip], [0.68, -tip + 0.02], [0.18, -0.75]])
        ear = ear * [side * near, 1]
        pen.shape([*ear, [0, 0]], dark, 255, smooth=False)
        middle = np.array([side * 0.6, -0.55])
        pen.shape(middle + (ear - middle) * 0.6, inside, 255, smooth=False)

    if kind == "upright":
        for side in (-1, 1):
            draw_ear(side)
    jaw, cheek = rng.uniform(0.85, 1.05), rng.uniform(0.74, 0.98)
    head = [[0, -0.92], [0.5, -0.86], [0.86, -0.4], [cheek, 0.2], [0.52, jaw - 0.15]]
    head += [[0, jaw]] + [[-x, y] for x, y in head[:0:-1]]
    box = 0.25 * turn, 0, 0.95, 0.95
    _furry(pen, rng, coat, canvas, mask, head, box, is_head=True)
    if kind != "upright":
        for side in (-1, 1):
            draw_ear(side)
    # 口鼻：长，伸向前方，转头时移动得更多
    x, y = 0.62 * turn, 0.38 + 0.35 * nod
    wide, long = rng.uniform(0.36, 0.5), rng.uniform(0.4, 0.58)
    pad = _mix(coat["other"] if coat["muzzle"] else base, (255, 250, 245), 0.2)
    if coat["pattern"] == "mask" and not coat["muzzle"]:
        pad = _mix(base, _DARK, 0.6)
    bridge = [[0.2 * turn - 0.2, -0.25], [0.2 * turn + 0.2, -0.25]]
    bridge += [[x + wide * 0.8, y + 0.1], [x - wide * 0.8, y + 0.1]]
    pen.shape(bridge, _mix(pad, base, 0.4), 255)
    if rng.random() < 0.25:  # 吐舌头
        slack = rng.uniform(0.25, 0.45)
        pen.oval(x, y + long * 0.75, wide * 0.62, 0.2, (74, 30, 36), 255)
        tongue = (222, 112, 124)
        pen.oval(x + 0.03, y + long * 0.75 + slack * 0.5, 0.17, slack, tongue, 255)
    for side in (-1, 1):
        at = x + side * wide * 0.4, y + long * 0.4
        pen.oval(*at, wide * 0.62, long * 0.5, pad, 255)
    ink = _mix(pad, _DARK, 0.65)
    lip = [[x - wide * 0.9, y + long * 0.62], [x - wide * 0.4, y + long * 0.85]]
    lip += [[x, y + long * 0.6]]
    pen.line(lip, 0.045, ink, 255)
    pen.line([[2 * x - px, py] for px, py in lip], 0.045, ink, 255)
    pen.line([[x, y + 0.1], [x, y + long * 0.6]], 0.045, ink, 255)
    if rng.random() < 0.4:
        _draw_whiskers(pen, rng, x, y + long * 0.4, rng.uniform(0.35, 0.6))
    # 鼻子：又大又黑，有一点反光
    big = rng.uniform(0.17, 0.24)
    nose = _mix(_DARK, (96, 58, 48), rng.choice([0.0, 0.3, 0.8]))
    tip = [[x - big, y - 0.08], [x, y - 0.14], [x + big, y - 0.08]]
    tip += [[x + big * 0.5, y + 0.11], [x, y + 0.16], [x - big * 0.5, y + 0.11]]
    pen.shape(tip, nose, 255)
    gleam = _mix(nose, (255, 255, 255), 0.6)
    pen.oval(x - big * 0.3, y - 0.06, 0.05, 0.025, gleam, 255)
    # 眼睛：圆，棕色的多，也有像哈士奇那样是浅色的
    iris = [(84, 52, 32), (150, 100, 50), (206, 170, 80), (116, 176, 200)]
    iris = iris[rng.choice(4, p=[0.35, 0.35, 0.15, 0.15])]
    round_, apart = rng.uniform(0.12, 0.17), rng.uniform(0.34, 0.44)
    asleep, brows = rng.random() < 0.18, rng.random() < 0.25
    for side in (-1, 1):
        at = side * apart + 0.3 * turn, -0.2 + 0.2 * nod
        wide = round_ * (1 - 0.25 * side * turn)
        if brows:
            brow = at[0] + side * 0.02, at[1] - 0.26
            pen.oval(*brow, 0.12, 0.07, _mix(base, (214, 160, 96), 0.6), 255)
        if asleep:
            arc = [[at[0] - wide, at[1]], [at[0], at[1] + 0.08], [at[0] + wide, at[1]]]
            pen.line(arc, 0.05, _DARK, 255)
            continue
        pen.oval(*at, wide * 1.2, round_ * 1.15, _DARK, 255)
        pen.oval(*at, wide, round_, iris, 255)
        pen.oval(*at, wide * 0.6, round_ * 0.6, (16, 14, 16), 255)
        pen.oval(at[0] - 0.05, at[1] - 0.06, 0.04, 0.04, (250, 250, 250), 255)


# %% 背景和前景


def _color(rng, low=30, high=226):
    color = rng.integers(low, high, 3)
    return _mix(color, (color.mean(),) * 3, rng.uniform(0, 0.8))  # 鲜艳的少


def _gradient(size, top, bottom):
    t = np.linspace(0, 1, size)[:, None, None]
    column = (1 - t) * np.array(top) + t * np.array(bottom)
    return Image.fromarray(np.tile(column.astype("uint8"), (1, size, 1)))


def _clutter(draw, rng, n, size):
    """随便什么东西：方块、椭圆、三角形、线条，有的正好像耳朵或胡须"""
    for _ in range(n):
        x, y = rng.uniform(-0.1, 1.1, 2) * size
        w, h = rng.uniform(0.04, 0.3, 2) * size
        color, kind = _color(rng), rng.integers(4)
        if kind == 0:
            draw.rectangle([x, y, x + w, y + h], fill=color)
        elif kind == 1:
            draw.ellipse([x, y, x + w, y + h], fill=color)
        elif kind == 2:
            lean = rng.uniform(0, 1) * w
            draw.polygon([x, y + h, x + w, y + h, x + lean, y], fill=color)
        else:
            for i in range(rng.integers(1, 5)):
                end = x + 2 * w, y + (i - 1) * 0.3 * h
                draw.line([x, y, *end], fill=color, width=max(1, round(size / 80)))


def _draw_background(rng, size):
    """草地、沙发、房间、天空、墙壁；画得小再放大，就像照片的背景那样模糊"""
    small = round(size * rng.uniform(0.25, 1))
    kind = rng.integers(6)
    if kind == 0:  # 草地
        green = np.array([rng.integers(60, 130), rng.integers(110, 170), 50])
        image = _gradient(small, _mix(green, (220, 230, 190), 0.4), green)
        draw = ImageDraw.Draw(image)
        for x, y, lean in rng.uniform(0, small, (90, 3)):
            tone = _mix(green, [(20, 50, 10), (200, 210, 110)][int(x > lean)], 0.35)
            draw.line([x, y, x + (lean - small / 2) * 0.1, y - small * 0.1], fill=tone)
    elif kind == 1:  # 沙发
        color, wall = _color(rng), _color(rng, 120, 240)
        image = _gradient(small, wall, _mix(wall, _DARK, 0.2))
        draw, top = ImageDraw.Draw(image), rng.uniform(0.15, 0.5) * small
        draw.rectangle([0, top, small, small], fill=color)
        for i in range(-1, 3):
            left = (i + rng.uniform(0, 0.3)) * small / 2
            box = [left, top + small * 0.04, left + small * 0.47, top + small * 0.45]
            draw.rounded_rectangle(box, small * 0.06, fill=_mix(color, _DARK, 0.15))
        seat = [0, top + small * 0.45, small, small]
        draw.rectangle(seat, fill=_mix(color, (255, 255, 255), 0.12))
    elif kind == 2:  # 房间
        wall, floor = _color(rng, 110, 240), _mix(_color(rng), (150, 100, 60), 0.6)
        image = _gradient(small, wall, _mix(wall, _DARK, 0.15))
        draw, line = ImageDraw.Draw(image), rng.uniform(0.45, 0.8) * small
        draw.rectangle([0, line, small, small], fill=floor)
        for x in np.arange(-0.5, 1.6, 0.18) * small:
            end = small / 2 + (x - small / 2) * 2
            draw.line([x, line, end, small], fill=_mix(floor, _DARK, 0.3))
        x, y = rng.uniform(0, 0.7, 2) * small * [1, 0.4]
        frame = [x, y, x + small * 0.3, y + small * 0.32]
        draw.rectangle(frame, fill=_color(rng, 160, 250), outline=_color(rng))
    elif kind == 3:  # 天空和远处的山坡
        sky = (rng.integers(90, 170), rng.integers(150, 200), rng.integers(200, 245))
        image = _gradient(small, sky, (232, 236, 236))
        draw = ImageDraw.Draw(image)
        for x, y, w in rng.uniform(0, 1, (4, 3)) * small:
            draw.ellipse([x, y * 0.5, x + w * 0.6, y * 0.5 + w * 0.2], fill="white")
        hills = [(0, 1), *zip(np.linspace(0, 1, 6), rng.uniform(0.5, 0.9, 6)), (1, 1)]
        hills = [(x * small, y * small) for x, y in hills]
        draw.polygon(hills, fill=_color(rng, 60, 160))
    else:  # 墙壁或布
        image = _gradient(small, _color(rng), _color(rng))
        draw = ImageDraw.Draw(image)
    _clutter(draw, rng, rng.integers(1, 10), small)
    image = image.resize((size, size), Image.Resampling.BICUBIC)
    return image.filter(ImageFilter.BoxBlur(0.6 * size / small))


def _draw_foreground(image, rng, size):
    """有时前面有东西挡着：草叶、毯子、玩具"""
    draw, kind = ImageDraw.Draw(image), rng.integers(8)
    if kind == 0:
        for x in rng.uniform(0, size, 14):
            lean, top = rng.uniform(-0.08, 0.08) * size, rng.uniform(0.6, 0.9) * size
            base = [x, size, x + size * 0.03, size, x + lean, top]
            draw.polygon(base, fill=_mix((70, 120, 40), (170, 190, 90), rng.random()))
    elif kind == 1:
        edge = rng.uniform(0.72, 0.95, 6) * size
        top = [(x, y) for x, y in zip(np.linspace(0, size, 6), edge)]
        draw.polygon([(0, size), *top, (size, size)], fill=_color(rng))
    elif kind == 2:
        _clutter(draw, rng, rng.integers(1, 4), size)


# %% 一张照片


@cache
def _fur_texture():
    """一块能平铺的毛的纹理，顺着一个方向，float32，(256, 256)，均值 0，标准差 1"""
    noise = np.random.default_rng(0).standard_normal((256, 256)).astype("float32")
    noise = sum(np.roll(noise, i, 0) for i in range(5))
    return (noise - noise.mean()) / noise.std()


@cache
def _distance(size):
    """各像素到画面中心的距离的平方，四角是 2，(size, size, 1)"""
    grid = np.linspace(-1, 1, size, dtype="float32")
    return (grid[:, None] ** 2 + grid**2)[..., None]


def _draw_animal(label, rng, size):
    """返回动物和它的轮廓，float32，(size, size, 3) 和 (size, size, 1)，后者在 [0, 1]"""
    big = 2 * size  # 画成两倍大再缩小，不显锯齿
    coat = _coat(rng)
    canvas = Image.new("RGB", (big, big), coat["base"])
    mask = Image.new("L", (big, big), 0)
    # 三分之二拍得清楚；其余的太小、太歪、只露出一半，网络只好死记硬背
    clear = rng.random() < 0.67
    unit = big * (rng.uniform(0.24, 0.36) if clear else rng.uniform(0.11, 0.2))
    with_body = rng.random() < (0.9 if unit < 0.24 * big else 0.5)
    offset = rng.uniform(-1, 1, 2) * (0.13 if clear else 0.38)
    origin = big * (0.5 + offset - [0, 0.08 * with_body])
    tilt, turn = rng.normal(0, 0.2 if clear else 0.5), rng.uniform(-0.75, 0.75)
    nod, side = rng.uniform(-0.4, 0.4), rng.choice([-1, 1])
    if with_body:
        pen = _Pen([canvas, mask], origin, unit, tilt * 0.3)
        _draw_body(pen, rng, coat, canvas, mask, label, side)
    pen = _Pen([canvas, mask], origin, unit, tilt)
    (_draw_dog if label else _draw_cat)(pen, rng, coat, canvas, mask, turn, nod)
    # 光从一侧来：头像一个球，一边亮，边缘暗
    light = Image.new("L", (size // 2,) * 2, 112)
    pen = _Pen([light], origin / 4, unit / 4, tilt)
    pen.oval(0, 0, 1, 0.95, 118)
    pen.oval(0.2 * side, -0.2, 0.7, 0.65, 138)
    light = light.filter(ImageFilter.BoxBlur(max(1, unit / 16)))
    light = light.resize((size, size), Image.Resampling.BILINEAR)
    rows, columns = np.arange(size) + rng.integers(0, 256, (2, 1))
    fur = _fur_texture()[np.ix_(rows % 256, columns % 256)]
    light = np.asarray(light, "float32") / 128 + rng.uniform(0.02, 0.09) * fur
    animal = np.asarray(canvas.reduce(2), "float32") * light[..., None]
    outline = np.asarray(mask.reduce(2).filter(ImageFilter.BoxBlur(1)), "float32") / 255
    # 轮廓的边缘毛茸茸的
    ragged = (outline - 0.5) * 1.6 + 0.5 + 0.22 * fur * (outline > 0.05)
    return animal, np.where(outline < 1, ragged.clip(0, 1), outline)[..., None]


def draw(label, rng, size=160):
    """画一张猫或狗的照片

    参数：label，0 是猫，1 是狗；rng，numpy 的随机数生成器；size，边长，单位像素
    返回：uint8，(size, size, 3)
    """
    background = np.asarray(_draw_background(rng, size), "float32")
    animal, outline = _draw_animal(label, rng, size)
    image = background + (animal - background) * outline
    image = Image.fromarray(image.clip(0, 255).astype("uint8"))
    _draw_foreground(image, rng, size)
    if rng.random() < 0.4:  # 没有对准焦
        image = image.filter(ImageFilter.BoxBlur(rng.uniform(0.2, 1) * size / 160))
    # 光线：亮度、对比度、偏色、暗角，最后是感光元件的噪声
    image = np.asarray(image, "float32")
    contrast, cast = rng.uniform(0.75, 1.25), rng.uniform(0.88, 1.12, 3)
    image = (image - 118) * contrast + rng.uniform(95, 145)
    image = image * cast.astype("float32")
    image *= 1 - rng.uniform(0, 0.25) * _distance(size)
    noise = rng.standard_normal((size, size, 3), "float32")
    image += noise * rng.uniform(1, 5)
    return image.clip(0, 255).astype("uint8")


# %% 整个文件夹


def _is_complete(path, comment):
    """已经有这张照片，是同样的画法和种子画的，而且没有断在半截"""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return comment in content[:300] and content.endswith(b"\xff\xd9")


def make_cats_dogs(folder, counts=(1000, 500, 500), seed=0):
    """5.2 节的替身：在 folder 里画出书中那样的文件夹，已经画好的不再画

    训练集的猫是 train/cats/cat.0.jpg、cat.1.jpg……，验证集和测试集接着编号；狗同理
    每张照片只由 seed、类别和编号决定，与张数无关；随时可以打断，下次接着画
    参数：folder，文件夹的路径；counts，训练、验证、测试集里每一类各多少张
    """
    folder, splits = Path(folder), ("train", "validation", "test")
    split_of = [split for split, n in zip(splits, counts) for _ in range(n)]
    for label, name in enumerate(("cat", "dog")):
        for split in splits:
            (folder / split / f"{name}s").mkdir(parents=True, exist_ok=True)
        for number, split in enumerate(split_of):
            path = folder / split / f"{name}s" / f"{name}.{number}.jpg"
            _save(folder, path, (seed, label, number))


def _save(folder, path, key):
    """画一张，存成 path；先写在 folder 里，写完整了才挪过去"""
    # 写在照片里：它是合成的，由哪一版画法、哪个种子画成
    comment = f"synthetic, common/synthetic_photos.py {_VERSION}, seed {key}".encode()
    if _is_complete(path, comment):
        return
    temporary = folder / f".{path.name}.{os.getpid()}"
    try:
        image = Image.fromarray(draw(key[1], np.random.default_rng(key)))
        image.save(temporary, "JPEG", quality=90, comment=comment)
        output.move(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
