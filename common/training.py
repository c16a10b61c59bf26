"""长时间的训练：中断之后接着来，告诉读者还要等多久；5.2、6.3、8.5 节用"""

import hashlib
import io
import json
import math
import re
import shutil
import signal
import threading
import time
import zipfile
from contextlib import suppress

from common import Fault, output
from common.output import spoken

import keras
import numpy as np
import pandas as pd

_locks = {}  # 本进程正在用的文件夹，{路径: 打开着的锁文件}


def checkpoint_folder(name, number, model, epochs, settings):
    """训练到一半的网络放在哪里：output/<name>/checkpoints/<number>/，没有就建立

    参数：number，第几个网络，也可以是名字；model，编译过的 keras.Model；epochs，一共
        要训练几轮；settings，影响训练的其他设置，能写成 JSON
    返回：pathlib.Path，给 CSVLogger、Backup、SaveBest、TimeLeft 用
    里面有上次的训练就接着用，并说明从第几轮开始；网络、设置或数据变了，或者已经超过
    epochs 轮，就从头开始，上次的改名留着
    """
    folder = settings_folder(name, number, [model], settings)
    done = _epochs_in_backup(folder / "backup")
    if not _history_matches(folder, done):
        print(f"存过 {done} 轮的网络，训练历史却不全")
        _put_aside(folder)
        return settings_folder(name, number, [model], settings)
    if done > epochs:
        print(f"上次已经训练了 {done} 轮，比 {epochs} 轮多")
        _put_aside(folder)
        return settings_folder(name, number, [model], settings)
    if done == epochs:
        print(f"{done} 轮上次已经训练完，直接用那时的结果")
    elif done:
        print(f"接着上次中断的训练，前 {done} 轮不用重来")
    return folder


def _epochs_in_backup(folder):
    """Backup 存的网络训练了几轮；没有存过是 0"""
    for name in ("training_metadata.json", "training_metadata.json.bkp"):
        with suppress(OSError, ValueError, KeyError):
            return int(json.loads((folder / name).read_text(encoding="utf-8"))["epoch"])
    return 0


def _history_matches(folder, done):
    """history.csv 里只留前 done 轮，后面的会重来；不到 done 轮就返回 False"""
    path = folder / "history.csv"
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]  # 断电时最后一行可能只有一半
    try:
        table = pd.read_csv(io.BytesIO(whole), on_bad_lines="skip")
        table["epoch"] = pd.to_numeric(table["epoch"], errors="coerce")
    except (ValueError, KeyError):  # 一行也没有，或者第一行就坏了
        path.unlink(missing_ok=True)
        return done == 0
    # 重来过的一轮，后一次的才算
    kept = table[table["epoch"] < done].drop_duplicates("epoch", keep="last")
    kept = kept.astype({"epoch": int})
    if len(kept) < len(table) or whole != content:
        with output.complete_file(path) as temporary:
            kept.to_csv(temporary, index=False, na_rep="nan")
    return len(kept) == done


def settings_folder(name, number, models, settings):
    """output/<name>/checkpoints/<number>/，没有就建立；网络、设置或数据变了就换新的

    参数：models，keras.Model 的列表；其余同 checkpoint_folder；8.5 节直接用它
    返回：pathlib.Path
    异常：Fault，另一个进程正在用它
    """
    folder = output.output_dir(name) / "checkpoints" / str(number)
    _lock(folder)
    # 同一进程里再建一次，层的名字会从 conv2d 变成 conv2d_4；计算用的数值类型是试算之后
    # 选的，也可能变。网络还是那个网络，权重总是 float32
    networks = "".join(re.sub(r'_\d+"', '"', model.to_json()) for model in models)
    networks = networks.replace("mixed_bfloat16", "float32")
    description = [networks, settings, sorted(output.synthetic_in_use)]
    digest = hashlib.sha256(json.dumps(description).encode()).hexdigest()
    mark = folder / "settings.txt"
    if folder.exists():
        if mark.exists() and mark.read_text(encoding="utf-8") == digest:
            return folder
        print("上次的训练用的是别的网络、设置或数据")
        _put_aside(folder)
    folder.mkdir(parents=True)
    with output.complete_file(mark) as temporary:
        temporary.write_text(digest, encoding="utf-8")
    return folder


def _lock(folder):
    """两个进程往一个文件夹里存，历史会混在一起；进程结束，锁就自动解开，强行结束也一样"""
    if folder in _locks:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # 锁不放在文件夹里面，Windows 上里面有打开着的文件就改不了名
    file = output.lock(folder.with_name(f".{folder.name}.lock"))
    if file is None:
        raise Fault(
            f"{folder} 正由另一个进程使用，两边一起存，结果会混在一起："
            "等那个脚本结束（图的窗口也要关掉）再运行"
        )
    _locks[folder] = file


def _put_aside(folder):
    """训练几个小时才得到的结果，不删，改名留着"""
    aside = folder.with_name(f"{folder.name}.old-{time.time_ns()}")
    try:
        output.move(folder, aside)
    except PermissionError as error:
        raise Fault(
            f"想从头开始，把 {folder} 改名放到一边，但是{error.strerror}："
            "里面有文件正打开着的话，关掉那个程序，Notebook 要重启内核，再运行一次"
        ) from None
    print(f"从头开始；上次的改名为 {aside.name}，不要了可以删掉")


def whole_history(folder, filename="history.csv"):
    """CSVLogger 或 save_history 记下的训练历史，包括中断之前的那些轮

    参数：folder，checkpoint_folder 或 settings_folder 返回的文件夹，里面有 filename
    返回：和 History.history 一样的字典，{键: 每轮一个数}；还没有记录是空字典
    """
    path = folder / filename
    if not path.exists() or not path.stat().st_size:
        return {}
    table = pd.read_csv(path, on_bad_lines="skip").dropna()  # 断电时最后一行可能不全
    # 刚记下一轮还没存网络就中断，那一轮会重来，所以同一轮只取最后一行
    table = table.drop_duplicates("epoch", keep="last")
    return table.drop(columns=["epoch", "data"], errors="ignore").to_dict("list")


def all_finite(*models):
    """网络的权重是不是全都有限：存盘之前看一眼，免得存下训练垮了的网络

    8.5 节用，5.2、6.3 节由 Backup 用
    """
    weights = (weight for model in models for weight in model.get_weights())
    return all(np.isfinite(weight).all() for weight in weights)


def save_state(folder, step, variables):
    """把若干变量存成 <folder>/state-<step>.npz，留着最近两次的；8.5 节用

    参数：step，第几步；variables，Keras 或 TensorFlow 变量的列表
    tf.train.Checkpoint 在 Windows 上存不进路径里有汉字的文件夹，所以用 NumPy 的格式
    """
    with output.complete_file(folder / f"state-{step}.npz") as temporary:
        np.savez(temporary, *[np.asarray(variable) for variable in variables])
    for path in _states(folder)[2:]:
        path.unlink()


def restore_state(folder, variables):
    """读出 save_state 最近一次存的，放进 variables；读不出来就退回前一次

    返回：int，第几步；没有存过是 0
    异常：Fault，存过，但是都读不出来
    """
    states = _states(folder)
    for path in states:
        try:
            with np.load(path) as arrays:
                values = [arrays[f"arr_{i}"] for i in range(len(variables))]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            print(f"{path} 读不出来，可能没有存完")
            continue
        for variable, value in zip(variables, values):
            variable.assign(value)
        return _step_of(path)
    if states:
        raise Fault(f"存过的盘都读不出来：删掉 {folder}，从头训练")
    return 0


def _states(folder):
    """最近的在最前面"""
    return sorted(folder.glob("state-*.npz"), key=_step_of, reverse=True)


def _step_of(path):
    return int(path.stem.removeprefix("state-"))


class CtrlC:
    """训练中按 Ctrl-C，等这一步算完再中断

    TensorFlow 的 C++ 部分算到一半、网络存到一半，从 Python 里打断它，偶尔会让整个进程
    崩溃，或者没有反应。再按一次 Ctrl-C 就不等了
    """

    def __init__(self):
        self.pressed = False
        self.previous = None

    def __enter__(self):
        # 只有主线程能换，例如有的调试器在别的线程里运行脚本；忽略 Ctrl-C 的仍然忽略
        main = threading.current_thread() is threading.main_thread()
        if main and callable(signal.getsignal(signal.SIGINT)):
            self.previous = signal.signal(signal.SIGINT, self._press)
        return self

    def _press(self, number, frame):
        self.pressed = True
        self.__exit__()

    def __exit__(self, *error):
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)
            self.previous = None

    def check(self):
        """按过 Ctrl-C，就在这里抛出 KeyboardInterrupt"""
        if self.pressed:
            self.pressed = False
            raise KeyboardInterrupt


def interruptible(steps):
    """for step in interruptible(range(...))：按 Ctrl-C，在两步之间停下；8.5 节用"""
    with CtrlC() as ctrl_c:
        for step in steps:
            yield step
            ctrl_c.check()


class Backup(keras.callbacks.BackupAndRestore):
    """每轮存一次网络，下次从那一轮接着训练；按 Ctrl-C，在两批之间停下；fit 的回调函数

    参数：folder，checkpoint_folder 返回的文件夹
    异常：Fault，训练垮了，损失或权重不是有限的数
    和 BackupAndRestore 相比：存到一半断电、磁盘满，读不出来的退回再前一轮，没有就从头来
    """

    def __init__(self, folder):
        self.folder = folder / "backup"
        super().__init__(self.folder, double_checkpoint=True, delete_checkpoint=False)
        self.ctrl_c = CtrlC()

    def on_train_batch_end(self, batch, logs=None):
        self.ctrl_c.check()

    def on_test_batch_end(self, batch, logs=None):
        self.ctrl_c.check()

    def on_epoch_end(self, epoch, logs=None):
        losses = list((logs or {}).values())
        if not np.isfinite(losses).all() or not all_finite(self.model):
            raise Fault(
                f"第 {epoch + 1} 轮之后有的损失或权重不是有限的数，训练垮了，"
                "这一轮不存盘。"
                f"把学习率调小，会从头训练；没有改过，就删掉 {self.folder.parent}"
            )
        # 断电之后，存了网络的那些轮，历史里一定要有
        output.flush(self.folder.parent / "history.csv")
        super().on_epoch_end(epoch, logs)
        self.ctrl_c.check()

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        self.ctrl_c.__exit__()
        self.ctrl_c.check()

    def on_train_begin(self, logs=None):
        self.ctrl_c.__enter__()
        initial = self.model.get_weights()
        try:
            return super().on_train_begin(logs)
        except (OSError, ValueError, KeyError, RuntimeError):
            print("上次存到一半的网络读不出来，退回再前一轮")
        self.model.set_weights(initial)
        for name in ("latest.weights.h5", "training_metadata.json"):
            previous = self.folder / f"{name}.bkp"
            if previous.exists():
                shutil.copy(previous, self.folder / name)
            else:
                (self.folder / name).unlink(missing_ok=True)
        try:
            super().on_train_begin(logs)
        except (OSError, ValueError, KeyError, RuntimeError):
            raise Fault(
                f"存过的网络都读不出来：删掉 {self.folder.parent}，从头训练"
            ) from None


class TimeLeft(keras.callbacks.Callback):
    """训练还要多久；fit 的回调函数

    第一轮之后说一次；一共 20 轮以上的，以后每过一成再说一次

    参数：folder，checkpoint_folder 返回的文件夹；给了就把每轮用的秒数记在里面，给
        seconds_per_epoch 用
    """

    def __init__(self, folder=None):
        super().__init__()
        self.folder = folder

    def on_train_begin(self, logs=None):
        self.start = self.last = time.monotonic()
        self.done = 0

    def on_epoch_end(self, epoch, logs=None):
        self.done += 1
        now = time.monotonic()
        if self.folder:
            with open(self.folder / "seconds.txt", "a", encoding="utf-8") as file:
                file.write(f"{now - self.last:.3f}\n")
        self.last = now
        epochs = self.params["epochs"]
        left = (epochs - epoch - 1) * (time.monotonic() - self.start) / self.done
        tenth = 10 * (epoch + 1) // epochs > 10 * epoch // epochs
        if left and (self.done == 1 or (tenth and epochs >= 20)):
            print(f"第 {epoch + 1} 轮结束，照这样还要约 {spoken(left)}", flush=True)


def seconds_per_epoch(folder):
    """训练一轮多少秒：TimeLeft(folder) 记下的各轮的中位数，第一轮要编译，不影响它

    返回：float，秒；还没有记录是 nan
    """
    path = folder / "seconds.txt"
    lines = path.read_text(encoding="utf-8").split() if path.exists() else []
    # 断电时最后一行可能只有一半
    return float(pd.to_numeric(pd.Series(lines, dtype=str), errors="coerce").median())


class SaveBest(keras.callbacks.Callback):
    """验证损失每创新低，就把网络存成 <folder>/best.keras；fit 的回调函数

    参数：folder，checkpoint_folder 返回的文件夹；中断之前的最低记录也算数
    和 keras.callbacks.ModelCheckpoint 相比：接着训练时不会拿差的换掉好的，存到一半
    断电也不留半个文件
    """

    def __init__(self, folder):
        super().__init__()
        self.path = folder / "best.keras"
        self.best = min(whole_history(folder).get("val_loss", []), default=math.inf)

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_loss"] < self.best or not self.path.exists():
            with output.complete_file(self.path) as temporary:
                self.model.save(temporary)
            self.best = min(self.best, logs["val_loss"])
