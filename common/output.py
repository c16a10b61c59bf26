"""保存结果，打印 书中 / 本次 对照表，说时间；每个脚本的最后一步都用到"""

import errno
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

OUTPUT = Path(__file__).resolve().parent.parent / "output"

synthetic_in_use = set()  # 本次运行用了哪些合成数据，由 datasets 填写

# 改名不成，过几秒再试；Windows 上杀毒软件、文件索引、OneDrive 会短暂打开刚写完的文件
RETRIES = (0.05, 0.1, 0.2, 0.5, 1, 2) if os.name == "nt" else ()


def output_dir(name):
    """返回 output/<name>/，没有就建立

    参数：name，脚本名，如 "3_4_imdb"
    返回：pathlib.Path
    """
    folder = OUTPUT / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def move(source, target):
    """把文件或文件夹改名成 target，同 os.replace；正被别的程序打开就等一等

    异常：OSError，等了几秒还是不行
    """
    for seconds in RETRIES:
        with suppress(PermissionError):
            return os.replace(source, target)
        time.sleep(seconds)
    os.replace(source, target)


def lock(path):
    """锁住锁文件 path；下载大文件、5.2、6.3、8.5 节存盘用

    返回：打开着的文件，关掉它锁就解开，进程结束也一样，强行结束的也是；别的进程锁着
        是 None
    """
    file = open(path, "a")  # 不用 "w"，别的进程锁着时不能清空它
    try:
        if os.name == "nt":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    except OSError:  # 有的网络磁盘不支持锁
        pass
    return file


def flush(path):
    """等文件的内容真的到了磁盘；不支持的磁盘、正被别的程序打开的文件，就算了

    异常：OSError，磁盘满了或者坏了
    """
    try:
        with open(path, "rb+") as file:
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise


@contextmanager
def complete_file(path, sync=True):
    """先写临时文件，写完整了才改成正式的名字：中途被打断，正式的文件也不会只有半个

    用法：with complete_file(path) as temporary: 往 temporary 里写
    参数：path，正式的路径；临时文件在同一文件夹，扩展名相同；sync，内容到了磁盘再改名，
        断电也不会留下空文件
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        if sync:
            flush(temporary)
        move(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def save_model(model, name, filename="model.keras"):
    """把训练好的模型存到 output/<name>/<filename>

    参数：model，keras.Model；filename 以 .keras 结尾
    返回：pathlib.Path，可以交给 keras.models.load_model
    """
    path = output_dir(name) / filename
    with complete_file(path) as temporary:
        model.save(temporary)
    return path


def save_history(history, name, filename="history.csv", index="epoch"):
    """把训练历史存成 CSV：一行一轮，列名就是 history 的键

    参数：history，fit 返回的 History，或者 {列名: 每轮一个数} 的字典；index，第一列
        的名字，从 1 数起，8.5 节一行是一步
    返回：pathlib.Path
    用合成数据时，CSV 多一列 data，内容是 synthetic
    """
    table = pd.DataFrame(getattr(history, "history", history))
    table.index = pd.RangeIndex(1, len(table) + 1, name=index)
    if synthetic_in_use:
        table["data"] = "synthetic"
    path = output_dir(name) / filename
    with complete_file(path) as temporary:
        table.to_csv(temporary, encoding="utf-8")
    return path


def format_table(rows, columns):
    """把若干行排成对齐的文字表格，一个汉字算两列宽

    参数：rows，每行一个元组；columns，列名
    返回：str
    """
    with pd.option_context("display.unicode.east_asian_width", True):
        return pd.DataFrame(rows, columns=columns).to_string(index=False)


@contextmanager
def only_data(name):
    """在 with 里，存的图和历史是不是合成数据只看数据集 name；6.3 节用了两个数据集"""
    others = synthetic_in_use - {name}
    synthetic_in_use.difference_update(others)
    try:
        yield
    finally:
        synthetic_in_use.update(others)


def print_comparison(rows, columns=("项目", "书中", "本次")):
    """打印 书中 / 本次 对照表；用了合成数据时在表下声明

    参数：rows，每行一个元组；columns，列名
    """
    print("\n" + format_table(rows, columns))
    if synthetic_in_use:
        names = "、".join(sorted(synthetic_in_use))
        print(
            f"【合成数据】「本次」是在合成数据（{names}）上算的，不能和书中的结果比较"
        )


def spoken(seconds):
    """把秒数说成 40 秒、25 分钟、1.5 小时；8.5 节，和下载、训练中的进度用"""
    if seconds < 90:
        return f"{seconds:.0f} 秒"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} 分钟"
    return f"{seconds / 3600:.1f} 小时"
