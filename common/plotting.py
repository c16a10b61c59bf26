"""画图：中文字体、训练曲线、图像网格；图存成 PNG，有图形界面时最后再弹出窗口"""

from common import output

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from PIL import Image

# Windows、macOS、Linux 上常见的中文字体，取第一个装了的
CJK_FONTS = [
    "Microsoft YaHei",
    "SimHei",
    "DengXian",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "Heiti TC",
    "Songti SC",
    "Arial Unicode MS",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",  # Linux 的 .ttc 合集，Matplotlib 只认得第一个名字
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "SimSun",
]

# 训练历史的键 → 图上的名字
METRICS = {
    "loss": ("损失", "loss"),
    "accuracy": ("精度", "accuracy"),
    "mae": ("平均绝对误差", "MAE"),
}


def _find_cjk_font():
    installed = set(font_manager.get_font_names())
    return next((font for font in CJK_FONTS if font in installed), None)


cjk_font = _find_cjk_font()
if cjk_font:
    plt.rcParams["font.family"] = "sans-serif"
    plt.rcParams["font.sans-serif"] = [cjk_font, "DejaVu Sans"]
plt.rcParams["axes.unicode_minus"] = False  # 不少中文字体缺 U+2212 这个负号
plt.rcParams["figure.max_open_warning"] = 0  # 窗口都留到最后才弹出


def label(chinese, english):
    """图上的文字：装了中文字体用 chinese，没装用 english，免得显示成方框"""
    return chinese if cjk_font else english


def save_figure(name, filename):
    """把当前图存成 output/<name>/<filename>.png；用合成数据时加上标记

    参数：name，脚本名；filename，不带扩展名，弹出的窗口也用它作标题
    返回：pathlib.Path
    """
    figure = plt.gcf()
    figure.canvas.manager.set_window_title(filename)
    if output.synthetic_in_use:
        mark = label("合成数据", "SYNTHETIC DATA")
        style = {"fontsize": 32, "alpha": 0.25, "rotation": 30, "color": "red"}
        figure.text(0.5, 0.5, mark, ha="center", va="center", **style)  # 像水印
    path = output.output_dir(name) / f"{filename}.png"
    with output.complete_file(path) as temporary:
        figure.savefig(temporary, dpi=144)
    return path


def plot_history(history, name, prefix=""):
    """训练曲线，每个指标一张图：圆点是训练集，实线是验证集，和书中一样

    参数：history，fit 返回的 History，或者同样内容的字典；name，脚本名；
        prefix，文件名前缀，一个脚本画多组曲线时用来区分
    存成 output/<name>/<prefix><指标>.png，3.4、3.5、5.2、6.3 节用
    """
    history = getattr(history, "history", history)
    for key in [key for key in history if not key.startswith("val_")]:
        chinese, english = METRICS.get(key, (key, key))
        epochs = range(1, len(history[key]) + 1)
        plt.figure(layout="constrained")
        plt.plot(epochs, history[key], "bo", label=label("训练", "Training"))
        title = label(f"训练{chinese}", f"Training {english}")
        if f"val_{key}" in history:
            validation = label("验证", "Validation")
            plt.plot(epochs, history[f"val_{key}"], "b", label=validation)
            title = label(
                f"训练{chinese}和验证{chinese}", f"Training and validation {english}"
            )
        plt.title(title)
        plt.xlabel(label("轮次", "Epochs"))
        plt.ylabel(label(chinese, english[:1].upper() + english[1:]))
        plt.legend()
        plt.gca().xaxis.get_major_locator().set_params(integer=True)  # 没有第 2.5 轮
        save_figure(name, f"{prefix}{key}")


def plot_images(images, titles, name, filename, columns=5):
    """把若干图像排成网格，存成 output/<name>/<filename>.png

    参数：images，形状 (n, 高, 宽) 的灰度图或 (n, 高, 宽, 3) 的彩色图；
        titles，n 个标题；columns，一行几张
    2.1、5.2、8.5 节用
    """
    rows = max(1, -(-len(images) // columns))
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(1.6 * columns, 1.9 * rows),
        layout="constrained",
        squeeze=False,
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat, images, titles):
        axis.imshow(image, cmap="gray_r" if image.ndim == 2 else None)
        axis.set_title(title, fontsize=9)
    save_figure(name, filename)


def plot_mosaic(images, title, name, filename, columns=8):
    """把若干同样大小的图像不留缝隙地拼成一张，存成 output/<name>/<filename>.png

    参数：images，形状 (n, 高, 宽, 3)，uint8，n 能被 columns 整除；title，整张图的标题
    8.5 节用
    """
    n, height, width, _ = images.shape
    rows = images.reshape(-1, columns, height, width, 3).swapaxes(1, 2)
    plt.figure(figsize=(5, 5 * n / columns**2 + 0.4), layout="constrained")
    plt.imshow(rows.reshape(-1, columns * width, 3))
    plt.title(title)
    plt.axis("off")
    save_figure(name, filename)
    plt.close()  # 每隔一阵就画一张，不留到最后一起弹出来


def save_gif(name, filename, frames_name, frames):
    """把 output/<frames_name>/ 里的 PNG 依次连成动画 output/<name>/<filename>.gif

    参数：frames，文件名，不带扩展名；最多取 40 帧，每帧 0.4 秒，最后一帧停 2 秒
    返回：pathlib.Path，一个 PNG 都没有就是 None；8.5 节用
    """
    folder = output.output_dir(frames_name)
    frames = [frame for frame in frames if (folder / f"{frame}.png").exists()]
    if not frames:
        return None
    frames = [frames[i] for i in np.linspace(0, len(frames) - 1, 40).astype(int)]
    images = []
    for frame in dict.fromkeys(frames):  # 不足 40 帧时去掉重复的
        with Image.open(folder / f"{frame}.png") as image:
            image.thumbnail((480, 480))  # 动画里每帧小一点，文件才不大
            images.append(image.convert("RGB").quantize(128))
    path = output.output_dir(name) / f"{filename}.gif"
    with output.complete_file(path) as temporary:
        images[0].save(
            temporary,
            save_all=True,
            append_images=images[1:],
            duration=[400] * (len(images) - 1) + [2000],
            loop=0,
        )
    return path


def show_figures():
    """弹出全部窗口，全都关掉才返回；没有图形界面时什么也不做"""
    if plt.get_backend().lower() not in {"agg", "pdf", "ps", "svg", "cairo"}:
        plt.show()
    plt.close("all")
