"""所有数据集共用的一条路：在缓存里找 → 验证 → 下载 → 拿不到就用合成数据

缓存是 ~/.keras/datasets/（或者环境变量 KERAS_HOME 下的 datasets/），和 Keras 相同
    DLPY_DATA    auto（默认）；real，没有真实数据就停下；synthetic，直接用合成数据
    DLPY_MIRROR  镜像的网址，例如教室里一台电脑在缓存文件夹里运行 python -m http.server

SHA-256 对上了才解析，所以被人动过手脚的 pickle 不会执行。不对的文件改名留着，从不删除
"""

import hashlib
import http.client
import ipaddress
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common import Fault, synthetic_in_use

GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
MICROSOFT = "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F"  # noqa: E501
TORONTO = "https://www.cs.toronto.edu/~kriz"
TIMEOUT = 15  # 秒，连接和每次读取最多等多久
TRIES = 3  # 断线时总共试几次


class Unavailable(Exception):
    """真实数据拿不到，信息里是原因"""


@dataclass(frozen=True)
class DataFile:
    """缓存里的一个文件"""

    name: str
    size: int  # 字节
    sha256: str = ""  # 空的是官方没有公布，里面也没有 pickle，由解析的函数验证
    site: str = GOOGLE
    also: tuple = ()  # 缓存里还可能叫什么名字，或者是哪个整理好的文件夹


FILES = {
    "mnist": DataFile("mnist.npz", 11_490_434),
    "imdb": DataFile(
        "imdb.npz",
        17_464_789,
        "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    ),
    "imdb_words": DataFile(
        "imdb_word_index.json",
        1_641_221,
        "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
    ),
    "reuters": DataFile(
        "reuters.npz",
        2_110_848,
        "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    ),
    "reuters_words": DataFile(
        "reuters_word_index.json",
        550_378,
        "9b56000edc4b34a32e89fd5a23b2605594682c74efcf7d8f4e2a5514b771e633",
    ),
    "boston": DataFile("boston_housing.npz", 57_026),
    "cats_dogs": DataFile(
        "kagglecatsanddogs_5340.zip",
        824_887_076,
        "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
        MICROSOFT,
        also=("cats_and_dogs_small", "train.zip"),
    ),
    "jena": DataFile(
        "jena_climate_2009_2016.csv.zip",
        13_568_290,
        also=("jena_climate_2009_2016.csv",),
    ),
    "frogs": DataFile(
        "cifar-10-python.tar.gz",
        170_498_071,
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        TORONTO,
        also=(
            "cifar-10-batches-py-target_archive",  # Keras 3 起的名字
            "cifar-10-batches-py.tar.gz",  # 旧的 Keras 起的名字
            "cifar10_images/train/frog",
        ),
    ),
}


def cache_dir():
    """Keras 的缓存文件夹，返回 pathlib.Path，不一定已经存在"""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home).expanduser() / "datasets"


# %% 一个数据集：真实的，或者合成的


def load(name, find, make):
    """每个数据集都走这里

    参数：name，数据集的名字；find，返回真实数据的函数，拿不到抛出 Unavailable；
        make，生成合成数据的函数
    异常：Fault，DLPY_DATA=real 而数据拿不到
    """
    mode = os.environ.get("DLPY_DATA", "").strip().lower() or "auto"
    if mode not in {"auto", "real", "synthetic"}:
        raise Fault(f"DLPY_DATA={mode}：只能是 auto、real 或 synthetic")
    synthetic_in_use.discard(name)
    if mode != "synthetic":
        try:
            return find()
        except (Unavailable, OSError, zlib.error) as problem:
            message = f"拿不到 {name} 的真实数据：{problem}\n{how_to_get(name)}"
        if mode == "real":
            raise Fault(f"{message}\n只想先跑通，就设 DLPY_DATA=auto，用合成数据")
        print(f"【合成数据】{message}")
    print(f"【合成数据】下面用自动生成的 {name}，道理相同，数字不是书中的结果")
    synthetic_in_use.add(name)
    return make()


def how_to_get(name):
    """缺的文件到哪里下载、放到哪里，一段话"""
    files = [file for key, file in FILES.items() if key in (name, f"{name}_words")]
    lines = [f"  {f.site}/{f.name}（{f.size / 1e6:.1f} MB）" for f in files]
    start = f"下载下面的文件，放进 {cache_dir()}{os.sep}，或者用 DLPY_MIRROR 指定镜像："
    return "\n".join([start, *lines])


def obtain(key, parse):
    """找到、验证 FILES[key]，返回 parse(路径)；缓存里没有就下载

    参数：parse，内容不对就抛出 Unavailable 或 ValueError
    异常：Unavailable
    """
    file = FILES[key]
    for name in (file.name, *file.also):
        path = cache_dir() / name
        if path.is_file():
            try:
                return checked(file, path, parse)
            except Unavailable as problem:
                print(f"{path}：{problem}；{set_aside(path)}")
            except OSError as error:
                print(f"读不了 {path}：{error.strerror}，跳过它")
    return download(file, parse)


def checked(file, path, parse):
    """验证之后返回 parse(path)；异常：Unavailable，内容不对"""
    if file.sha256 and sha256(path) != file.sha256:
        raise Unavailable("内容和官方文件不同（SHA-256 对不上），多半没有下载完")
    try:
        return parse(path)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Unavailable(f"内容不对（{error}）") from None


def sha256(path):
    """文件的 SHA-256，十六进制"""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def set_aside(path):
    """不能用的文件不删，改名留着；返回说明"""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    try:
        path.rename(aside)
        return f"已改名为 {aside.name}，留给你检查"
    except OSError as error:
        return f"改不了名（{error.strerror}），跳过它"


# %% 下载


def addresses(file):
    """依次尝试的网址；镜像既可以是缓存文件夹，也可以是其中的 datasets/"""
    mirror = os.environ.get("DLPY_MIRROR", "").strip().rstrip("/")
    if mirror:
        if not mirror.startswith(("http://", "https://")):
            raise Fault(f"DLPY_MIRROR={mirror}：要写成 http:// 或 https:// 开头的网址")
        mirror = urllib.parse.quote(mirror, safe=":/%@[]")  # 网址里可以有汉字和空格
        yield from (f"{mirror}/{file.name}", f"{mirror}/datasets/{file.name}")
    yield f"{file.site}/{file.name}"


def download(file, parse):
    """先存在 .part/ 里，断了下次接着来；验证后才挪出来，返回 parse(路径)"""
    part, failures = cache_dir() / ".part" / file.name, []
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.open("ab").close()
    except OSError as error:
        where = f"不能写入 {part.parent}：{error.strerror}"
        raise Unavailable(f"{where}，用 KERAS_HOME 换一个文件夹") from None
    for url in addresses(file):
        for _ in range(TRIES):  # 断线时只要有进展，就接着来
            have = part.stat().st_size
            try:
                if have < file.size:
                    fetch(url, part, file.size)
                data, target = checked(file, part, parse), cache_dir() / file.name
                if target.exists():  # 读不了的旧文件，也改名留着
                    print(f"{target}：{set_aside(target)}")
                part.replace(target)
                return data
            except (OSError, ValueError, http.client.HTTPException) as error:
                problem = reason(error, url)
                if part.stat().st_size <= have:
                    break
                print(f"下载中断（{problem}），接着下载")
            except Unavailable as error:  # 下载完了，内容不对
                problem = error
                set_aside(part)
                part.touch()
                break
        failures.append(f"{url}：{problem}")
    raise Unavailable("；".join(failures))


def fetch(url, part, size):
    """接着 part 往下下载，每过一成说一声还要多久"""
    have = part.stat().st_size
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"})
    proxies = urllib.request.ProxyHandler({} if is_private(url) else None)
    opener = urllib.request.build_opener(proxies)
    with one_address_each(), opener.open(request, timeout=TIMEOUT) as answer:
        if answer.headers.get_content_type() == "text/html":
            raise ConnectionError("得到的是一个网页，多半要先在浏览器里登录网络")
        if answer.status != 206:  # 服务器不会从中间开始
            have = 0
        print(f"下载 {url}，{size / 1e6:.0f} MB，可以随时按 Ctrl-C，下次接着来")
        begin, first, told = time.monotonic(), have, 10 * have // size
        with open(part, "ab" if have else "wb") as stream:
            while block := answer.read1(1 << 20):
                stream.write(block)
                have += len(block)
                if 10 * have // size > told and have < size:
                    told = 10 * have // size
                    left = (size - have) * (time.monotonic() - begin) / (have - first)
                    print(f"已下载 {told}0%，还要约 {left / 60:.1f} 分钟", flush=True)
    if answer.length:
        raise ConnectionError("只收到一部分，连接就断了")


def is_private(url):
    """是不是局域网里的地址，例如教室里的镜像；这样的地址不经过代理"""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host


@contextmanager
def one_address_each():
    """官方主机有十几个地址，连不上时挨个等要好几分钟：IPv4、IPv6 各只试第一个"""
    look_up = socket.getaddrinfo

    def look_up_first(*args, **kwargs):
        return [*{a[0]: a for a in look_up(*args, **kwargs)[::-1]}.values()][::-1]

    socket.getaddrinfo = look_up_first
    try:
        yield
    finally:
        socket.getaddrinfo = look_up


def reason(error, url):
    """没能下载的原因，一个短语"""
    if isinstance(error, urllib.error.HTTPError):
        return f"服务器回答 HTTP {error.code}"
    error = getattr(error, "reason", error)
    proxy = urllib.request.getproxies().get(url.split(":")[0])
    if proxy and not is_private(url):
        return f"经过代理 {proxy} 没有连上（{error}），检查代理开着没有"
    if isinstance(error, TimeoutError):
        return f"{TIMEOUT} 秒没有回应"
    if isinstance(error, socket.gaierror):
        return "找不到这个主机，网络可能不通"
    return f"没能下载（{error}）"
