"""存模型和训练历史，打印 书中 / 本次 对照表

都存在 output/<脚本名>/ 里，写完整了才改成正式的名字；用了合成数据，历史和表都标明
"""

import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from common import Fault, synthetic_in_use

import keras
import pandas as pd

OUTPUT = Path(__file__).resolve().parent.parent / "output"
try:  # 训练完了才发现存不下来就晚了，所以导入时先试写一次
    OUTPUT.mkdir(exist_ok=True)
    tempfile.TemporaryFile(dir=OUTPUT).close()
except OSError as error:
    raise Fault(
        f"结果要存到 {OUTPUT}，但是写不进去（{error}）：检查它是不是一个可以写的文件夹"
    ) from None


def output_dir(name):
    """返回 output/<name>/，pathlib.Path，没有就建立"""
    folder = OUTPUT / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def complete_file(path):
    """with complete_file(path) as temporary：写进 temporary，写完整了才改名成 path"""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        for seconds in (0.1, 0.5, 2, 0):  # Windows 上杀毒软件会短暂打开刚写完的文件
            try:
                os.replace(temporary, path)
                break
            except PermissionError as error:
                if not seconds or os.name != "nt":
                    why = "可能正被 Excel 之类的程序打开，关掉再运行"
                    raise Fault(f"写不了 {path}（{error.strerror}）：{why}") from None
                time.sleep(seconds)
    finally:
        temporary.unlink(missing_ok=True)


def save_model(model, name, filename="model.keras"):
    """把训练好的模型存到 output/<name>/<filename>，返回路径，可以交给 load_model

    用混合精度训练的（5.2、8.5 节）也存成 float32，在哪种处理器上都能用
    """
    path = output_dir(name) / filename
    text = model.to_json()
    if "mixed_bfloat16" in text:
        copy = keras.models.model_from_json(text.replace("mixed_bfloat16", "float32"))
        copy.set_weights(model.get_weights())
        model = copy
    with complete_file(path) as temporary:
        model.save(temporary)
    return path


def save_history(history, name, filename="history.csv"):
    """把训练历史存成 CSV，一行一轮；history，fit 返回的 History，或者同样内容的字典

    用了合成数据，CSV 多一列 data，内容是 synthetic
    """
    table = pd.DataFrame(getattr(history, "history", history))
    table.index = pd.RangeIndex(1, len(table) + 1, name="epoch")
    if synthetic_in_use:
        table["data"] = "synthetic"
    with complete_file(output_dir(name) / filename) as temporary:
        table.to_csv(temporary, encoding="utf-8")


def format_table(rows, columns):
    """把若干行排成对齐的文字表格，一个汉字算两列宽，返回 str"""
    with pd.option_context("display.unicode.east_asian_width", True):
        return pd.DataFrame(rows, columns=columns).to_string(index=False)


def print_comparison(rows, columns=("项目", "书中", "本次")):
    """打印 书中 / 本次 对照表；用了合成数据，在表下声明"""
    print("\n" + format_table(rows, columns))
    if synthetic_in_use:
        names = "、".join(sorted(synthetic_in_use))
        print(f"【合成数据】「本次」是在合成数据（{names}）上算的，不能和书中的结果比较")
