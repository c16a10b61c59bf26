"""数据集：在哪里找、怎么下载、怎么验证；返回的数组和书中一模一样，不做预处理

2.1、3.4、3.5、3.6 节的数据和 6.3 节的影评；照片、天气、青蛙在 photos.py、jena.py、
frogs.py 里，也用这里的下载和验证

依次在这些地方找：
1. Keras 的缓存文件夹（环境变量 KERAS_HOME，没设就是 ~/.keras）下的 datasets/
2. DLPY_MIRROR 指定的镜像，是一个网址，例如教室里某台电脑在缓存文件夹中运行
   python -m http.server 之后的 http://192.168.1.5:8000
3. Keras 的官方地址
4. 都不行就用 synthetic.py 生成的合成数据

环境变量 DLPY_DATA：auto（默认，照上面的顺序）、real（只要真实数据，没有就停下）、
synthetic（直接用合成数据，不碰缓存和网络）

含 pickle 的文件先验证 SHA-256 再解析，所以被人动过手脚的文件不会执行代码。不用
keras.datasets 的 load_data，是因为它遇到不对的文件会直接覆盖，缓存只读时会
重新下载，3.15 之前的版本还会不加限制地反序列化

命令行：python -m common.datasets            列出每个数据集是否就绪
        python -m common.datasets download   提前全部下载，也可以只写几个名字
"""

import errno
import filecmp
import functools
import hashlib
import http.client
import io
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common import Fault, explain, output, synthetic
from common.output import spoken

import keras
import numpy as np

OFFICIAL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
TIMEOUT = 15  # 秒，连接和每次读取最多等多久
TRIES = 3  # 连接中断时总共试几次
_INTERRUPTED = urllib.error.ContentTooShortError, http.client.IncompleteRead
RETRY_WAIT = 1  # 秒，第二次尝试之前等多久，以后每次加倍


class Unavailable(Exception):
    """真实数据拿不到，信息里是原因"""


@dataclass(frozen=True)
class DataFile:
    """缓存里的一个文件

    size 是字节数；arrays 只用于纯数字的 .npz：{数组名: (类型, 形状, 内容的 SHA-256)}，
    镜像常常重新打包，容器不同、内容一样，所以凭各数组的内容认定；site 是不在 Keras
    官方地址的文件所在的网址
    """

    name: str
    sha256: str
    size: int
    arrays: dict = field(default_factory=dict)
    site: str = ""

    @property
    def url(self):
        return f"{self.site or OFFICIAL}/{self.name}"


MNIST = DataFile(
    "mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    11_490_434,
    {
        "x_train": (
            "uint8",
            (60000, 28, 28),
            "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        ),
        "y_train": (
            "uint8",
            (60000,),
            "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        ),
        "x_test": (
            "uint8",
            (10000, 28, 28),
            "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        ),
        "y_test": (
            "uint8",
            (10000,),
            "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
        ),
    },
)
IMDB = DataFile(
    "imdb.npz",
    "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    17_464_789,
)
IMDB_WORDS = DataFile(
    "imdb_word_index.json",
    "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
    1_641_221,
)
REUTERS = DataFile(
    "reuters.npz",
    "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    2_110_848,
)
REUTERS_WORDS = DataFile(
    "reuters_word_index.json",
    "9b56000edc4b34a32e89fd5a23b2605594682c74efcf7d8f4e2a5514b771e633",
    550_378,
)
BOSTON = DataFile(
    "boston_housing.npz",
    "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
    57_026,
    {
        "x": (
            "float64",
            (506, 13),
            "58d9abef45a8e00c844d74ff0027c96d21a8a237d7ba7e4c0c30b11dcdafde10",
        ),
        "y": (
            "float64",
            (506,),
            "a7a4a2bed7266f5e88acd2854ae97af5206bed564ab217810535d4cd14d76edb",
        ),
    },
)

# 数据集的名字 → 它的文件，命令行和提示信息都用这张表
DATASETS = {
    "mnist": [MNIST],
    "imdb": [IMDB, IMDB_WORDS],
    "reuters": [REUTERS, REUTERS_WORDS],
    "boston": [BOSTON],
}


# %% 文件在哪里、对不对


def cache_dir():
    """Keras 的缓存文件夹，返回 pathlib.Path，不一定已经存在"""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home).expanduser() / "datasets"


def _fallback_dir():
    """缓存文件夹不能写时的去处，和 Keras 的习惯相同"""
    return Path(tempfile.gettempdir()) / ".keras" / "datasets"


def _verify(file, content):
    """验证文件内容

    返回：可以放心使用的内容，纯数字的 .npz 是 {数组名: 数组}，其余是字节串
    异常：Unavailable，内容不对
    """
    if file.arrays:
        arrays = _plain_arrays(file, content)
        if arrays is not None:
            return arrays
    elif hashlib.sha256(content).hexdigest() == file.sha256:
        return content
    if len(content) < file.size:
        detail = f"只有 {len(content)} 字节，应为 {file.size} 字节"
        detail += "，多半没有下载完，或者其实是个网页"
    else:
        detail = "内容和官方文件不同，SHA-256 对不上"
    raise Unavailable(f"{file.name} {detail}")


def _plain_arrays(file, content):
    """不用 pickle 读出各个数组；有一个数组的内容不对就返回 None"""
    arrays = {}
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            for key, (dtype, shape, sha256) in file.arrays.items():
                array = np.ascontiguousarray(archive[key], dtype)
                if array.shape != shape:
                    return None
                if hashlib.sha256(array.ravel()).hexdigest() != sha256:
                    return None
                arrays[key] = array
    except Exception:  # 来历不明的文件，解析时什么异常都可能有
        return None
    return arrays


def _set_aside(path, name=""):
    """不能用的文件不删，改名成 <name>.damaged-<时间>，返回新路径；name 默认是原名"""
    aside = path.with_name(f"{name or path.name}.damaged-{time.time_ns()}")
    output.move(path, aside)
    return aside


def _read_cached(file):
    """从缓存读出 _verify 返回的内容；没有返回 None，损坏的文件改名放到一边"""
    for folder in (cache_dir(), _fallback_dir()):
        path = folder / file.name
        try:
            return _verify(file, path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            print(f"读不了 {path}：{error.strerror}，跳过它")
        except Unavailable as problem:
            try:
                aside = _set_aside(path)
                print(f"{path}：{problem}；已改名为 {aside.name}，留给你检查")
            except FileNotFoundError:  # 另一个进程抢先改了名
                continue
            except OSError as error:
                print(f"{path}：{problem}；没法改名（{error.strerror}），跳过它")
    return None


# %% 下载


def _addresses(file):
    """依次尝试的网址；镜像既可以是缓存文件夹，也可以是其中的 datasets/"""
    mirror = os.environ.get("DLPY_MIRROR", "").strip().rstrip("/")
    if mirror:
        if not mirror.startswith(("http://", "https://")):
            raise Fault(f"DLPY_MIRROR={mirror}：要写成 http:// 或 https:// 开头的网址")
        mirror = urllib.parse.quote(mirror, safe=":/%@[]")  # 网址里可以有汉字和空格
        yield f"{mirror}/{file.name}"
        yield f"{mirror}/datasets/{file.name}"
    yield file.url


def _reason(cause):
    """下载失败的原因，一个短语"""
    if explain(cause):  # 磁盘满、没有权限，不是网络的问题
        return explain(cause)
    if isinstance(cause, urllib.error.HTTPError):
        return f"服务器回答 HTTP {cause.code}"
    if isinstance(cause, _INTERRUPTED):
        return "只收到一部分，连接就断了"
    cause = getattr(cause, "reason", cause)
    if isinstance(cause, TimeoutError):
        return f"{TIMEOUT} 秒没有回应"
    if isinstance(cause, ConnectionRefusedError):
        return "连接被拒绝"
    if isinstance(cause, ConnectionError):
        return "连接被对方断开"
    if isinstance(cause, socket.gaierror):
        return "找不到这个主机，网络可能不通"
    if getattr(cause, "errno", 0) in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "网络不通"
    return str(cause) or type(cause).__name__


def _may_try_again(cause):
    """传到一半断了值得再试；没有回应、连不上、磁盘满了，再试也一样"""
    return isinstance(cause, (ConnectionError, *_INTERRUPTED))


_dead_hosts = {}  # 连不上的主机只等一次，不让读者为每个文件各等一遍


@contextmanager
def _impatient():
    """get_file 自己不设超时，而且官方主机有十几个地址，挨个等要好几分钟

    在 with 里每次最多等 TIMEOUT 秒，IPv4 和 IPv6 各只试第一个地址
    """
    timeout, look_up = socket.getdefaulttimeout(), socket.getaddrinfo

    def look_up_first(*args, **kwargs):
        first = {}
        for address in look_up(*args, **kwargs):
            first.setdefault(address[0], address)
        return list(first.values())

    socket.setdefaulttimeout(TIMEOUT)
    socket.getaddrinfo = look_up_first
    try:
        yield
    finally:
        socket.setdefaulttimeout(timeout)
        socket.getaddrinfo = look_up


def _remove_leftovers(folder):
    """上次下载到一半被强行终止，来不及删的临时文件夹，过一天才删"""
    for old in folder.glob(".download-*"):
        try:
            if time.time() - old.stat().st_mtime > 24 * 3600:
                shutil.rmtree(old, ignore_errors=True)
        except FileNotFoundError:  # 另一个进程抢先删了
            continue


def _download_once(file, url, folder, verify=_verify):
    """从一个网址下载到 folder 中的临时文件夹，验证后才改成正式的名字

    返回：同 verify；网络问题抛出原来的异常，内容不对抛出 Unavailable
    """
    with tempfile.TemporaryDirectory(
        prefix=".download-", dir=folder, ignore_cleanup_errors=True
    ) as temporary:
        with _impatient():
            path = keras.utils.get_file(
                file.name, url, cache_dir=temporary, cache_subdir=""
            )
        content = verify(file, Path(path).read_bytes())
        target = folder / file.name
        try:
            _install(path, target)
        except OSError as error:
            if not target.is_file():  # 是文件就不要紧：Windows 上别的进程正在读它
                print(f"没能存成 {target}：{error.strerror}，这次照用，下次还要下载")
        return content


def _install(new, target):
    """把下载好的文件 new 改名成 target；那里原来的文件不删，改名留着"""
    if target.is_file() and not filecmp.cmp(new, target, shallow=False):
        print(f"原来的 {target} 改名为 {_set_aside(target).name}")
    output.move(new, target)


def _download_part(file, url, folder):
    """从一个网址下载大文件，存在 .part 里，断了下次接着来；验证后才改成正式的名字

    返回：Path；异常：网络问题抛出原来的异常，内容不对抛出 Unavailable
    """
    path, place = folder / file.name, folder / f".{file.name}.lock"
    waited = False
    while (lock := output.lock(place)) is None:  # 两边往一个 .part 里写就乱了
        if not waited:
            print(f"另一个进程正在下载 {file.name}，等它下载完", flush=True)
        waited = True
        time.sleep(1)
    with lock:
        if path.is_file() and _sha256(path) == file.sha256:  # 那边下载好了
            return path
        return _go_on_with_part(file, url, folder)


def _go_on_with_part(file, url, folder):
    """参数、返回和异常同 _download_part；已经有的 .part 接着下载"""
    part = folder / f"{file.name}.part"
    have = part.stat().st_size if part.exists() else 0
    if have < file.size:
        request = urllib.request.Request(url)
        if have:
            request.add_header("Range", f"bytes={have}-")
        with (
            _impatient(),
            urllib.request.urlopen(request, timeout=TIMEOUT) as response,
        ):
            if response.headers.get_content_type() == "text/html":
                # 例如校园网、酒店的登录页；不能让它盖掉已经下载的那一部分
                raise Unavailable("得到的是一个网页，多半要先在浏览器里登录网络")
            if response.status != 206:  # 服务器不会从中间开始
                have = 0
            print(
                f"下载 {url}，共 {file.size / 1e6:.0f} MB，已有 {have / 1e6:.0f} MB，"
                "可以随时按 Ctrl-C，下次接着下载",
                flush=True,
            )
            with open(part, "ab" if have else "wb") as stream:
                _copy(response, stream, have, file.size)
    if part.stat().st_size < file.size:
        raise http.client.IncompleteRead(b"")
    if _sha256(part) == file.sha256:
        path = folder / file.name
        _install(part, path)
        return path
    aside = _set_aside(part, file.name)
    if have:  # 也许坏的是上次下载的那一部分，重新下载一次
        print(f"下载的内容不对，改名为 {aside.name}，从头再下载")
        return _go_on_with_part(file, url, folder)
    raise Unavailable(f"内容和官方文件不同，SHA-256 对不上，改名为 {aside.name}")


def _sha256(path):
    """大文件的 SHA-256，一块一块地读；Python 3.10 还没有 hashlib.file_digest"""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _copy(response, stream, have, size):
    """一块一块地存，每过一成说一声还要多久"""
    start, first, told = time.monotonic(), have, 10 * have // size
    while chunk := response.read1(1 << 20):
        stream.write(chunk)
        have += len(chunk)
        if have > size:  # 不是要下载的文件，验证时会发现
            return
        if 10 * have // size > told:
            told = 10 * have // size
            left = (size - have) * (time.monotonic() - start) / (have - first)
            wait = f"，还要约 {spoken(left)}" if left else ""
            print(f"已下载 {10 * told}%{wait}", flush=True)


def _writable_folder():
    for folder in (cache_dir(), _fallback_dir()):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return folder
        except OSError as error:
            print(f"不能写入 {folder}：{error.strerror}")
    raise Unavailable("没有可以写入的缓存文件夹，用 KERAS_HOME 指定一个")


def _download(file, once=_download_once):
    """依次从镜像和官方地址下载，都不行抛出 Unavailable

    参数：once，从一个网址下载一次的函数，参数和异常同 _download_once
    返回：once 返回的东西
    """
    folder = _writable_folder()
    _remove_leftovers(folder)
    failures, wrong = [], []
    for url in _addresses(file):
        host = url.split("/")[2]
        for attempt in range(TRIES):
            if host in _dead_hosts:
                failures.append(f"{url}：{_dead_hosts[host]}")
                break
            try:
                content = once(file, url, folder)
                for failure in wrong:
                    print(f"没有用 {failure}")
                return content
            except Unavailable as problem:  # 内容不对，再试也一样
                wrong.append(f"{url}：{problem}")
                failures.append(wrong[-1])
                break
            except Exception as error:
                # get_file 把一部分异常包成了不分种类的 Exception
                wrapped = type(error) is Exception and error.__context__
                cause = wrapped or error
                reason = _reason(cause)
                if _may_try_again(cause) and attempt < TRIES - 1:
                    print(f"下载中断（{reason}），再试一次")
                    time.sleep(RETRY_WAIT * 2**attempt)
                    continue
                failures.append(f"{url}：{reason}")
                if not isinstance(cause, urllib.error.HTTPError) and not explain(cause):
                    _dead_hosts[host] = reason
                break
    raise Unavailable("；".join(failures))


def _obtain(file):
    """返回一个文件验证过的内容，同 _verify：先找缓存，再下载"""
    content = _read_cached(file)
    return _download(file) if content is None else content


# %% 真实数据还是合成数据


def _mode():
    mode = os.environ.get("DLPY_DATA", "auto").strip().lower() or "auto"
    if mode not in {"auto", "real", "synthetic"}:
        raise Fault(f"DLPY_DATA={mode}：只能是 auto、real 或 synthetic")
    return mode


def _how_to_get(files):
    """怎样手动下载这些文件，一个文件一行"""
    return "\n".join(
        f"  {file.url}（{file.size / 1e6:.1f} MB"
        + (f"，SHA-256 {file.sha256}）" if file.sha256 else "）")
        for file in files
    )


def _real_or_synthetic(name, files, get, make):
    """按 DLPY_DATA 取真实数据或合成数据

    参数：name，数据集的名字；files，它的 DataFile，拿不到时告诉读者下载什么；get，
        返回真实数据的函数，拿不到抛出 Unavailable；make，生成合成数据的函数
    异常：Fault，DLPY_DATA=real 而数据拿不到
    """
    mode = _mode()
    if mode != "synthetic":
        try:
            data = get()
            output.synthetic_in_use.discard(name)
            return data
        except Unavailable as problem:
            where = f"{cache_dir()}{os.sep}"
            if mode == "real":
                raise Fault(
                    f"拿不到 {name} 的真实数据。试过：缓存 {where}；{problem}\n"
                    f"在能上网的电脑上下载下面的文件，放进 {where}，再运行一次\n"
                    f"{_how_to_get(files)}\n"
                    "有镜像就设置 DLPY_MIRROR；只想先跑通就设置 DLPY_DATA=auto"
                ) from None
            print(f"【合成数据】拿不到 {name} 的真实数据：{problem}")
            print(f"要用真实数据，下载后放进 {where}，或用 DLPY_MIRROR 指定镜像：")
            print(_how_to_get(files))
    print(f"【合成数据】下面用自动生成的 {name}，道理相同，数字不是书中的结果")
    output.synthetic_in_use.add(name)
    return make()


# %% 四个数据集


def _load_ragged(content):
    """解析验证过的 .npz，返回 {数组名: 数组}

    长短不一的序列只能用 pickle 存；内容的 SHA-256 已经对过，不会是别人动过手脚的
    """
    with np.load(io.BytesIO(content), allow_pickle=True) as archive:
        return {key: archive[key] for key in archive.files}


def load_mnist():
    """MNIST 手写数字，2.1 节

    返回：(train_images, train_labels), (test_images, test_labels)
        图像 uint8，(60000, 28, 28) 和 (10000, 28, 28)，0 是背景，255 是笔画；
        标签 uint8，(60000,) 和 (10000,)，取 0 到 9
    异常：Fault，DLPY_DATA=real 而数据拿不到
    """

    def get():
        data = _obtain(MNIST)
        train = data["x_train"], data["y_train"]
        return train, (data["x_test"], data["y_test"])

    return _real_or_synthetic("mnist", DATASETS["mnist"], get, synthetic.make_mnist)


def _shuffle(x, y, rng=None):
    """Keras 固定用种子 113 打乱，次序必须一样，才和书中是同一条数据

    rng：接着用的随机状态，IMDB 先打乱训练集、再用同一个状态打乱测试集
    """
    order = np.arange(len(x))
    (rng or np.random.RandomState(113)).shuffle(order)
    return x[order], y[order]


def _limit_words(sequences, num_words):
    """单词编号加 3，开头加 1，编号不小于 num_words 的罕见词换成 2，同 Keras"""
    lengths = [len(sequence) for sequence in sequences]
    flat = np.concatenate(sequences) + 3
    flat[flat >= num_words] = 2
    flat = flat.tolist()
    result = np.empty(len(sequences), dtype=object)
    start = 0
    for i, length in enumerate(lengths):
        result[i] = [1, *flat[start : start + length]]
        start += length
    return result


def _check_num_words(num_words):
    if isinstance(num_words, bool) or not isinstance(num_words, (int, np.integer)):
        raise Fault(f"NUM_WORDS = {num_words!r}：要写成整数，例如 10_000")
    if num_words < 4:
        raise Fault(f"NUM_WORDS = {num_words}：至少是 4，因为 0 到 3 不代表单词")


def load_imdb(num_words):
    """IMDB 影评，3.4、6.3 节

    参数：num_words，只保留最常见的这么多个编号，罕见词记作 2
    返回：(train_data, train_labels), (test_data, test_labels)
        数据是 (25000,) 的 object 数组，每个元素是一条评论的单词编号列表；
        标签 int64，(25000,)，1 是正面，0 是负面
    异常：Fault，num_words 不合理，或 DLPY_DATA=real 而数据拿不到
    """
    _check_num_words(num_words)

    def get():
        data = _load_ragged(_obtain(IMDB))
        rng = np.random.RandomState(113)
        x_train, y_train = _shuffle(data["x_train"], data["y_train"], rng)
        x_test, y_test = _shuffle(data["x_test"], data["y_test"], rng)
        train = _limit_words(x_train, num_words), y_train
        return train, (_limit_words(x_test, num_words), y_test)

    files = DATASETS["imdb"]
    return _real_or_synthetic(
        "imdb", files, get, lambda: synthetic.make_imdb(num_words)
    )


def load_reuters(num_words):
    """路透社新闻，3.5 节

    参数：num_words，只保留最常见的这么多个编号，罕见词记作 2
    返回：(train_data, train_labels), (test_data, test_labels)
        数据是 (8982,) 和 (2246,) 的 object 数组，每个元素是单词编号列表；
        标签 int64，取 0 到 45，名字见 keras.datasets.reuters.get_label_names
    异常：Fault，num_words 不合理，或 DLPY_DATA=real 而数据拿不到
    """
    _check_num_words(num_words)

    def get():
        data = _load_ragged(_obtain(REUTERS))
        x, y = _shuffle(data["x"], data["y"])
        x, cut = _limit_words(x, num_words), int(len(x) * 0.8)
        return (x[:cut], y[:cut]), (x[cut:], y[cut:])

    files = DATASETS["reuters"]
    return _real_or_synthetic(
        "reuters", files, get, lambda: synthetic.make_reuters(num_words)
    )


def load_boston():
    """波士顿房价，3.6 节

    返回：(train_data, train_targets), (test_data, test_targets)
        数据 float64，(404, 13) 和 (102, 13)，13 列依次是 CRIM、ZN、INDUS、CHAS、
        NOX、RM、AGE、DIS、RAD、TAX、PTRATIO、B、LSTAT；目标 float64，单位千美元
    异常：Fault，DLPY_DATA=real 而数据拿不到
    """

    def get():
        data = _obtain(BOSTON)
        x, y = _shuffle(data["x"], data["y"])
        cut = int(len(x) * 0.8)
        return (x[:cut], y[:cut]), (x[cut:], y[cut:])

    return _real_or_synthetic("boston", DATASETS["boston"], get, synthetic.make_boston)


# %% 单词编号还原成文字


def _reverse_word_index(name):
    mode = _mode()
    is_synthetic = mode == "synthetic" or name in output.synthetic_in_use
    return _build_reverse_word_index(name, is_synthetic, mode)


@functools.cache
def _build_reverse_word_index(name, is_synthetic, mode):
    """{编号: 单词}；合成数据配合成的词表，真实数据拿不到词表时返回空字典"""
    if is_synthetic:
        word_index = getattr(synthetic, f"{name}_word_index")()
    else:
        file = DATASETS[name][1]
        try:
            word_index = json.loads(_obtain(file))
        except Unavailable as problem:
            message = f"拿不到词表 {file.name}：{problem}\n{_how_to_get([file])}"
            if mode == "real":
                raise Fault(message) from None
            print(f"{message}\n下面的单词只能显示成 <编号>，不影响训练")
            return {}
    return {i: word for word, i in word_index.items()}


def _decode(name, sequence):
    reverse_word_index = _reverse_word_index(name)
    # 0、1、2 是“填充”“序列开始”“未知词”，单词的编号因此都加了 3
    unknown = (lambda i: "?") if reverse_word_index else (lambda i: f"<{i}>")
    return " ".join(reverse_word_index.get(i - 3) or unknown(i) for i in sequence)


def decode_review(sequence):
    """把 load_imdb 的一条评论还原成英文，3.4 节

    参数：sequence，单词编号的列表；返回：str，不是单词的编号显示为 ?
    """
    return _decode("imdb", sequence)


def encode_review(text, num_words):
    """decode_review 的反过程：把一段英文变成单词编号，3.4 节

    参数：text，英文，标点和大小写不影响；num_words，同 load_imdb
    返回：list，以 1 开头，词表里没有的和编号不小于 num_words 的词记作 2
    """
    numbers = {word: i for i, word in _reverse_word_index("imdb").items()}
    if not numbers:
        print("没有词表，你的评论里每个词都成了未知词，判断没有意义")
    words = re.findall(r"[\w']+", text.lower())
    sequence = [numbers.get(word, num_words) + 3 for word in words]
    return [1, *(i if i < num_words else 2 for i in sequence)]


def decode_newswire(sequence):
    """把 load_reuters 的一条新闻还原成英文，3.5 节

    参数：sequence，单词编号的列表；返回：str，不是单词的编号显示为 ?
    """
    return _decode("reuters", sequence)


# %% 命令行


def _own_loaders():
    """有自己模块的数据集，模块里有 status 和 prepare"""
    from common import frogs, jena, photos  # 它们导入本模块，所以不能在开头导入

    return {"cats_dogs": photos, "jena": jena, "frogs": frogs}


def _print_status():
    print(f"缓存文件夹：{cache_dir()}")
    rows = []
    for name, files in DATASETS.items():
        for file in files:
            status, where = "缺", ""
            for folder in (cache_dir(), _fallback_dir()):
                path = folder / file.name
                try:
                    _verify(file, path.read_bytes())
                    status, where = "就绪，已验证", path
                    break
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except Unavailable:
                    status, where = "损坏", path
                except OSError as error:
                    status, where = f"读不了：{error.strerror}", path
            size = f"{file.size / 1e6:.1f} MB"
            rows.append((name, file.name, size, status, where))
    rows += [(name, *module.status()) for name, module in _own_loaders().items()]
    print(output.format_table(rows, ["数据集", "文件", "大小", "状态", "位置"]))


def _command_line(arguments):
    """返回退出码：0 成功，1 有数据没拿到，2 参数不对"""
    if not arguments:
        _print_status()
        return 0
    command, *names = arguments
    loaders = _own_loaders()
    known = [*DATASETS, *loaders]
    if command != "download" or set(names) - set(known):
        print("用法：python -m common.datasets [download [名字 …]]")
        print("名字：" + "、".join(known))
        return 2
    missing = 0
    for name in names or known:
        if name in loaders:
            missing += not loaders[name].prepare()
            continue
        for file in DATASETS[name]:
            try:
                _obtain(file)
                print(f"{file.name}：就绪")
            except Unavailable as problem:
                missing += 1
                print(f"{file.name}：拿不到。{problem}\n{_how_to_get([file])}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(_command_line(sys.argv[1:]))
