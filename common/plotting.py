"""画图：存成 output/<脚本名>/ 里的 PNG；用了合成数据，图上有水印"""

from common import synthetic_in_use
from common.results import complete_file, output_dir

import matplotlib.pyplot as plt

plt.rcParams["figure.max_open_warning"] = 0  # 窗口都留到最后才弹出


def save_figure(name, filename):
    """把当前图存成 output/<name>/<filename>.png；用了合成数据就加上水印"""
    figure = plt.gcf()
    figure.canvas.manager.set_window_title(filename)
    if synthetic_in_use:
        mark = "SYNTHETIC DATA\n" + " ".join(sorted(synthetic_in_use))
        style = {"fontsize": 28, "alpha": 0.25, "rotation": 25, "color": "red"}
        figure.text(0.5, 0.5, mark, ha="center", va="center", **style)
    with complete_file(output_dir(name) / f"{filename}.png") as temporary:
        figure.savefig(temporary, dpi=144)


def plot_history(history, name, prefix="", reference=None, label=""):
    """3.4 节的画图代码：每个指标一张图，存成 <prefix><指标>.png

    圆点是训练集，实线是验证集
    参数：history，fit 返回的 History，或者同样内容的字典；reference，用来比较的另一次
        训练，同样的字典，它的验证曲线画成灰色虚线；label，虚线的图例
    """
    history = getattr(history, "history", history)
    for key in [key for key in history if f"val_{key}" in history]:
        epochs = range(1, len(history[key]) + 1)
        plt.figure(layout="constrained")
        size = 6 if len(epochs) <= 20 else 3  # 轮数多了，圆点画小一些，不挡住实线
        plt.plot(epochs, history[key], "bo", markersize=size, label=f"Training {key}")
        plt.plot(epochs, history[f"val_{key}"], "b", label=f"Validation {key}")
        if reference and f"val_{key}" in reference:
            values = reference[f"val_{key}"]
            plt.plot(range(1, len(values) + 1), values, "--", color="gray", label=label)
        plt.title(f"Training and validation {key}")
        plt.xlabel("Epochs")
        plt.ylabel(key.capitalize())
        plt.legend()
        plt.gca().xaxis.get_major_locator().set_params(integer=True)  # 没有第 2.5 轮
        save_figure(name, f"{prefix}{key}")


def plot_images(images, titles, name, filename, columns=5):
    """把若干图像排成网格，存成 <filename>.png

    参数：images，(n, 高, 宽) 的灰度图或 (n, 高, 宽, 3) 的彩色图；titles，n 个标题
    """
    rows = max(1, -(-len(images) // columns))
    plt.figure(figsize=(1.6 * columns, 1.9 * rows), layout="constrained")
    for i, (image, title) in enumerate(zip(images, titles), start=1):
        plt.subplot(rows, columns, i)
        plt.imshow(image, cmap="gray_r" if image.ndim == 2 else None)
        plt.title(title, fontsize=9)
        plt.axis("off")
    save_figure(name, filename)
