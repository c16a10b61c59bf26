"""数据加载：在本机的 HTTP 服务器上演一遍读者会遇到的各种网络和文件故障"""

import errno
import hashlib
import http.server
import io
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import zipfile
from dataclasses import replace

from common import Fault, datasets, explain, frogs, jena, output, photos

import keras
import numpy as np
import pytest
import tiny_data
from harness import ROOT

# %% 自己造的小文件，格式和真的一样，哈希值换成它们自己的


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def ragged(rng, n):
    data = np.empty(n, dtype=object)
    data[:] = [rng.integers(1, 60, rng.integers(3, 9)).tolist() for _ in range(n)]
    return data


def array_hashes(arrays):
    return {
        key: (str(a.dtype), a.shape, hashlib.sha256(a.tobytes()).hexdigest())
        for key, a in arrays.items()
    }


RNG = np.random.default_rng(0)
MNIST_ARRAYS = {
    "x_train": RNG.integers(0, 256, (60, 28, 28)).astype("uint8"),
    "y_train": RNG.integers(0, 10, 60).astype("uint8"),
    "x_test": RNG.integers(0, 256, (10, 28, 28)).astype("uint8"),
    "y_test": RNG.integers(0, 10, 10).astype("uint8"),
}
BOSTON_ARRAYS = {"x": RNG.normal(size=(506, 13)), "y": RNG.normal(size=506)}
IMDB_ARRAYS = {
    "x_train": ragged(RNG, 40),
    "y_train": np.arange(40) % 2,
    "x_test": ragged(RNG, 30),
    "y_test": np.arange(30) % 2,
}
REUTERS_ARRAYS = {"x": ragged(RNG, 150), "y": np.arange(150) % 46}
WORDS = json.dumps({f"w{i}": i for i in range(1, 60)}).encode()
GOOD = {
    "mnist.npz": npz(**MNIST_ARRAYS),
    "boston_housing.npz": npz(**BOSTON_ARRAYS),
    "imdb.npz": npz(**IMDB_ARRAYS),
    "reuters.npz": npz(**REUTERS_ARRAYS),
    "imdb_word_index.json": WORDS,
    "reuters_word_index.json": WORDS,
}
ARRAYS = {"mnist.npz": MNIST_ARRAYS, "boston_housing.npz": BOSTON_ARRAYS}


def small(file):
    """同名的 DataFile，哈希值和大小换成上面的小文件的"""
    content = GOOD[file.name]
    sha256 = hashlib.sha256(content).hexdigest()
    arrays = array_hashes(ARRAYS.get(file.name, {}))
    return replace(file, sha256=sha256, size=len(content), arrays=arrays)


CONSTANTS = ["MNIST", "IMDB", "IMDB_WORDS", "REUTERS", "REUTERS_WORDS", "BOSTON"]


def use_small_files(module=datasets, setattr=setattr):
    for name in CONSTANTS:
        setattr(module, name, small(getattr(module, name)))
    table = {
        "mnist": [module.MNIST],
        "imdb": [module.IMDB, module.IMDB_WORDS],
        "reuters": [module.REUTERS, module.REUTERS_WORDS],
        "boston": [module.BOSTON],
    }
    setattr(module, "DATASETS", table)


# %% 一台想怎么坏就怎么坏的服务器


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files = {}  # 路径 → 字节串、HTTP 状态码，或者接手这个请求的函数
        self.requests = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        answer = self.server.files.get(self.path, 404)
        if callable(answer):
            answer(self)
        elif isinstance(answer, int):
            self.send_error(answer)
        else:
            self.start(len(answer))
            self.wfile.write(answer)

    def start(self, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    """官方地址指向这台服务器，开始时六个文件都好好的"""
    server = Server()
    server.files = {f"/{name}": content for name, content in GOOD.items()}
    monkeypatch.setattr(datasets, "OFFICIAL", server.url)
    monkeypatch.setattr(datasets, "RETRY_WAIT", 0.01)
    monkeypatch.setattr(datasets, "_fallback_dir", lambda: datasets.cache_dir() / "x")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    use_small_files(setattr=lambda m, k, v: monkeypatch.setattr(m, k, v))
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def mirror():
    mirror = Server()
    yield mirror
    mirror.shutdown()
    mirror.server_close()


def cache(name, content):
    path = datasets.cache_dir() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_in_cache():
    return sorted(p.name for p in datasets.cache_dir().iterdir())


def assert_is_mnist(result):
    (x_train, y_train), (x_test, y_test) = result
    for array, key in [
        (x_train, "x_train"),
        (y_train, "y_train"),
        (x_test, "x_test"),
        (y_test, "y_test"),
    ]:
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, MNIST_ARRAYS[key])


# %% 返回的数据和 Keras 的一样


@pytest.mark.parametrize("num_words", [20, 45, 10_000])
def test_sequences_equal_keras(server, monkeypatch, num_words):
    """打乱的次序、加 3、开头的 1、截断成 2，都和 keras.datasets 逐个相同"""
    ours_imdb = datasets.load_imdb(num_words)
    ours_reuters = datasets.load_reuters(num_words)
    for module in ("imdb", "reuters"):  # 让 Keras 的加载函数也读这些小文件
        monkeypatch.setattr(
            sys.modules[f"keras.src.datasets.{module}"],
            "get_file",
            lambda fname, **kwargs: str(datasets.cache_dir() / fname),
        )
    theirs_imdb = keras.datasets.imdb.load_data(num_words=num_words)
    theirs_reuters = keras.datasets.reuters.load_data(num_words=num_words)
    for ours, theirs in [(ours_imdb, theirs_imdb), (ours_reuters, theirs_reuters)]:
        for (x, y), (x_keras, y_keras) in zip(ours, theirs):
            assert x.dtype == object and x.shape == x_keras.shape
            assert [list(s) for s in x] == [list(s) for s in x_keras]
            assert {type(s) for s in x} == {list}
            assert {type(i) for s in x for i in s} == {int}  # 不是 numpy 的整数
            np.testing.assert_array_equal(y, y_keras)
            assert y.dtype == y_keras.dtype


def test_boston_equals_keras(server, monkeypatch):
    ours = datasets.load_boston()
    path = str(datasets.cache_dir() / "boston_housing.npz")
    monkeypatch.setattr(
        sys.modules["keras.src.datasets.boston_housing"],
        "get_file",
        lambda *args, **kwargs: path,
    )
    theirs = keras.datasets.boston_housing.load_data()
    for pair, pair_keras in zip(ours, theirs):
        for array, array_keras in zip(pair, pair_keras):
            np.testing.assert_array_equal(array, array_keras)


def test_decode_and_encode(server):
    datasets.load_imdb(50)
    assert datasets.decode_review([1, 2, 0, 4, 62]) == "? ? ? w1 w59"
    assert datasets.encode_review("W1, w46; w47 nothing", 50) == [1, 4, 49, 2, 2]
    datasets.load_reuters(50)
    assert datasets.decode_newswire([1, 5]) == "? w2"


# %% 在哪里找，先后次序


def test_verified_cache_needs_no_network(server):
    cache("mnist.npz", GOOD["mnist.npz"])
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == []
    assert files_in_cache() == ["mnist.npz"]


def test_a_cached_file_is_read_and_parsed_once(server, monkeypatch):
    """真的 IMDB 解析一次要几秒，不能让读者等两遍"""
    loads, load = [], np.load
    monkeypatch.setattr(np, "load", lambda *a, **k: loads.append(1) or load(*a, **k))
    for name in ("mnist", "imdb"):
        file = datasets.DATASETS[name][0]
        cache(file.name, GOOD[file.name])
    datasets.load_mnist()
    datasets.load_imdb(50)
    assert len(loads) == 2


@pytest.mark.parametrize("tail", ["", "/"])
@pytest.mark.parametrize("folder", ["", "/datasets", "/教室 的缓存"])
def test_mirror_comes_before_official(server, mirror, monkeypatch, folder, tail):
    """镜像可以是缓存文件夹，也可以是里面的 datasets/，网址末尾有没有斜杠都行"""
    path = urllib.parse.quote(f"{folder}/mnist.npz")
    mirror.files = {path: GOOD["mnist.npz"]}
    base = "" if folder == "/datasets" else folder
    monkeypatch.setenv("DLPY_MIRROR", mirror.url + base + tail)
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == []
    assert files_in_cache() == ["mnist.npz"]


def test_official_when_mirror_has_nothing(server, mirror, monkeypatch):
    monkeypatch.setenv("DLPY_MIRROR", mirror.url)
    assert_is_mnist(datasets.load_mnist())
    assert mirror.requests == ["/mnist.npz", "/datasets/mnist.npz"]
    assert server.requests == ["/mnist.npz"]


def test_wrong_bytes_from_mirror_are_refused(server, mirror, monkeypatch, capsys):
    mirror.files = {"/mnist.npz": GOOD["boston_housing.npz"]}
    monkeypatch.setenv("DLPY_MIRROR", mirror.url)
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == ["/mnist.npz"]
    assert (datasets.cache_dir() / "mnist.npz").read_bytes() == GOOD["mnist.npz"]
    printed = capsys.readouterr().out  # 没有的不用说，不对的要说是哪一个
    assert printed.count("没有用") == 1
    assert f"没有用 {mirror.url}/mnist.npz：mnist.npz 内容和官方文件不同" in printed


def test_wrong_everywhere_is_a_fault_in_real(server, mirror, monkeypatch):
    """每个地址、每个原因都要说到；正式的名字下什么也没有"""
    cache("boston_housing.npz", b"bad")
    mirror.files = {"/boston_housing.npz": 404}
    mirror.files["/datasets/boston_housing.npz"] = b"<html>login</html>"
    server.files["/boston_housing.npz"] = GOOD["mnist.npz"] * 2
    monkeypatch.setenv("DLPY_MIRROR", mirror.url)
    monkeypatch.setenv("DLPY_DATA", "real")
    with pytest.raises(Fault) as caught:
        datasets.load_boston()
    tried = str(caught.value).splitlines()[0].split("；")[1:]
    assert len(tried) == 3
    for line, url, reason in zip(
        tried,
        [mirror.url, f"{mirror.url}/datasets", server.url],
        ["HTTP 404", "只有 18 字节", "SHA-256 对不上"],
    ):
        assert line.startswith(f"{url}/boston_housing.npz：") and reason in line
    (aside,) = files_in_cache()
    assert aside.startswith("boston_housing.npz.damaged-")


@pytest.mark.parametrize("address", ["教室", "ftp://127.0.0.1/", "127.0.0.1:8000"])
def test_nonsense_mirror(server, monkeypatch, address):
    monkeypatch.setenv("DLPY_MIRROR", address)
    with pytest.raises(Fault, match="DLPY_MIRROR=.*http://"):
        datasets.load_mnist()


def test_blank_mirror_is_no_mirror(server, monkeypatch):
    monkeypatch.setenv("DLPY_MIRROR", "  ")
    assert_is_mnist(datasets.load_mnist())


def test_synthetic_touches_neither_cache_nor_network(server, monkeypatch, capsys):
    monkeypatch.setenv("DLPY_DATA", "synthetic")
    cache("boston_housing.npz", GOOD["boston_housing.npz"])
    (x, _), _ = datasets.load_boston()
    assert not np.isin(x, BOSTON_ARRAYS["x"]).any()
    assert server.requests == []
    assert "【合成数据】" in capsys.readouterr().out
    assert output.synthetic_in_use == {"boston"}


def test_unknown_mode(server, monkeypatch):
    monkeypatch.setenv("DLPY_DATA", "fake")
    with pytest.raises(Fault, match="auto、real 或 synthetic"):
        datasets.load_boston()


# %% 坏文件


def patched_zip(content, offset, value):
    """改掉压缩包目录里每一项的一个字节"""
    parts = content.split(b"PK\x01\x02")
    return (b"PK\x01\x02").join(
        [parts[0], *(p[:offset] + bytes([value]) + p[offset + 1 :] for p in parts[1:])]
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        GOOD["mnist.npz"][:-100],
        GOOD["boston_housing.npz"],
        b"<html>404</html>",
        patched_zip(GOOD["mnist.npz"], 4, 1),
        patched_zip(GOOD["mnist.npz"], 6, 99),
    ],
    ids=["空", "截断", "别的文件", "网页", "加了密码", "不认识的压缩方法"],
)
def test_bad_cache_is_set_aside_and_fetched_again(server, capsys, content):
    path = cache("mnist.npz", content)
    assert_is_mnist(datasets.load_mnist())
    assert path.read_bytes() == GOOD["mnist.npz"]
    (aside,) = datasets.cache_dir().glob("mnist.npz.damaged-*")
    assert aside.read_bytes() == content
    assert aside.name in capsys.readouterr().out


def test_bad_everywhere_means_stand_in(server, monkeypatch, capsys):
    server.files["/boston_housing.npz"] = GOOD["mnist.npz"] * 2
    datasets.load_boston()
    assert files_in_cache() == []
    printed = capsys.readouterr().out
    assert "SHA-256 对不上" in printed and datasets.BOSTON.sha256 in printed
    assert output.synthetic_in_use == {"boston"}
    # 数据后来有了，就不再算合成数据
    cache("boston_housing.npz", GOOD["boston_housing.npz"])
    datasets.load_boston()
    assert output.synthetic_in_use == set()


class Malicious:
    """反序列化时会建立一个文件"""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return (os.mkdir, (self.marker,))


def malicious_npz(path, size):
    """里面的数组带恶意 pickle，总大小补到和真的一样"""
    array = np.empty(1, dtype=object)
    array[0] = Malicious(path)
    arrays = dict.fromkeys(["x", "y", "x_train", "y_train", "x_test", "y_test"], array)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, value, allow_pickle=True)
            archive.writestr(f"{name}.npy", member.getvalue())
    return buffer.getvalue().ljust(size, b"\0")


@pytest.mark.parametrize("name", ["mnist", "imdb", "reuters", "boston"])
def test_malicious_pickle_never_runs(server, mirror, monkeypatch, tmp_path, name):
    """缓存里有、镜像上也有，大小还和真的一样"""
    monkeypatch.setenv("DLPY_MIRROR", mirror.url)
    file, marker = datasets.DATASETS[name][0], tmp_path / "执行了"
    bad = malicious_npz(marker, file.size)
    with pytest.raises(FileExistsError):  # 这份文件真的会执行代码
        marker.mkdir()
        np.load(io.BytesIO(bad), allow_pickle=True)["x"]
    marker.rmdir()
    assert len(bad) == file.size
    cache(file.name, bad)
    mirror.files = {f"/{file.name}": bad}
    load = getattr(datasets, f"load_{name}")
    load(50) if name in {"imdb", "reuters"} else load()
    assert not marker.exists()
    assert mirror.requests[0] == server.requests[0] == f"/{file.name}"
    assert output.synthetic_in_use == set()  # 最后从官方地址拿到了真的


@pytest.mark.parametrize("name", ["mnist", "boston"])
def test_repacked_numbers_are_judged_by_content(server, name):
    """镜像常常重新打包：压缩方式、数组次序、整数类型不同，内容一样就认"""
    file = datasets.DATASETS[name][0]
    arrays = dict(reversed(ARRAYS[file.name].items()))
    if name == "mnist":
        arrays["y_train"] = arrays["y_train"].astype("int64")
    else:
        arrays["y"] = arrays["y"].astype(">f8")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    assert hashlib.sha256(buffer.getvalue()).hexdigest() != file.sha256
    cache(file.name, buffer.getvalue())
    result = getattr(datasets, f"load_{name}")()
    assert server.requests == []
    if name == "mnist":
        assert_is_mnist(result)
    else:
        y = np.concatenate([result[0][1], result[1][1]])
        assert y.dtype == np.float64 and y.dtype.isnative
        np.testing.assert_array_equal(np.sort(y), np.sort(BOSTON_ARRAYS["y"]))


@pytest.mark.parametrize("change", ["一个像素", "形状", "缺一个数组"])
def test_slightly_different_numbers_are_refused(server, change):
    arrays = {key: array.copy() for key, array in MNIST_ARRAYS.items()}
    if change == "一个像素":
        arrays["x_test"][3, 14, 14] ^= 1
    elif change == "形状":
        arrays["x_test"] = arrays["x_test"].reshape(10, 784)
    else:
        del arrays["y_test"]
    cache("mnist.npz", npz(**arrays))
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == ["/mnist.npz"]


def test_imdb_is_never_accepted_repacked(server):
    """含 pickle 的文件只认官方的那一份"""
    cache("imdb.npz", npz(**IMDB_ARRAYS | {"extra": np.zeros(1)}))
    datasets.load_imdb(50)
    assert server.requests == ["/imdb.npz"]


# %% 坏网络


def cut(content, times, reset):
    """前几次只传一半就断开，以后才传完；reset：断得粗暴，客户端收到 RST"""
    calls = []

    def answer(handler):
        calls.append(1)
        if len(calls) > times:
            handler.start(len(content))
            handler.wfile.write(content)
            return
        if not reset:
            handler.start(len(content))
            handler.wfile.write(content[: len(content) // 2])
            return
        no_wait = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_wait)
        handler.rfile.close()
        handler.wfile.close()
        handler.connection.close()

    return answer


@pytest.mark.parametrize(
    ("reset", "reason"), [(False, "只收到一部分"), (True, "连接被对方断开")]
)
def test_connection_cut_midway_is_tried_again(
    server, monkeypatch, capsys, reset, reason
):
    server.files["/mnist.npz"] = cut(GOOD["mnist.npz"], 1, reset)
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == ["/mnist.npz"] * 2
    printed = capsys.readouterr().out
    assert reason in printed and "再试一次" in printed
    assert files_in_cache() == ["mnist.npz"]
    # 总是断，就不再试了
    monkeypatch.setenv("DLPY_DATA", "real")
    server.files["/boston_housing.npz"] = cut(GOOD["boston_housing.npz"], 99, reset)
    with pytest.raises(Fault, match=reason):
        datasets.load_boston()
    assert server.requests[2:] == ["/boston_housing.npz"] * datasets.TRIES
    assert files_in_cache() == ["mnist.npz"]


@pytest.mark.parametrize("started", [False, True], ids=["不回答", "传到一半停住"])
def test_hanging_server_is_waited_for_once_per_host(server, monkeypatch, started):
    monkeypatch.setattr(datasets, "TIMEOUT", 0.2)
    monkeypatch.setenv("DLPY_DATA", "real")
    finished = threading.Event()

    def hang(handler):
        if started:
            handler.start(1000)
            handler.wfile.write(b"PK")
            handler.wfile.flush()
        finished.wait(10)

    server.files["/imdb.npz"] = server.files["/reuters.npz"] = hang
    start = time.monotonic()
    for load in (datasets.load_imdb, datasets.load_reuters):
        with pytest.raises(Fault, match="0.2 秒没有回应"):
            load(50)
    finished.set()
    assert time.monotonic() - start < 2
    assert server.requests == ["/imdb.npz"]
    assert files_in_cache() == []


def test_slow_server_is_waited_for(server, monkeypatch):
    """一点一点地来，每一点都在 TIMEOUT 之内：总共再久也等得到，不会当作没有回应"""
    monkeypatch.setattr(datasets, "TIMEOUT", 1)
    content = GOOD["mnist.npz"]
    tenth = len(content) // 10

    def drip(handler):
        handler.start(len(content))
        for start in range(0, len(content), tenth):
            handler.wfile.write(content[start : start + tenth])
            handler.wfile.flush()
            time.sleep(0.2)

    server.files["/mnist.npz"] = drip
    start = time.monotonic()
    assert_is_mnist(datasets.load_mnist())
    assert time.monotonic() - start > 2 * datasets.TIMEOUT  # 真的等了，而不是太快
    assert server.requests == ["/mnist.npz"]
    assert files_in_cache() == ["mnist.npz"]


def test_many_dead_addresses_do_not_add_up(server, monkeypatch):
    """官方主机有十几个地址，IPv4 和 IPv6 各等一次，不能每个地址都等 15 秒"""
    four = [(socket.AF_INET, 1, 6, "", (f"192.0.2.{i}", 80)) for i in range(1, 17)]
    six = [(socket.AF_INET6, 1, 6, "", (f"2001:db8::{i}", 80, 0, 0)) for i in (1, 2)]
    tried = []

    def never_answers(self, address):
        tried.append(address[0])
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: six + four)
    monkeypatch.setattr(socket.socket, "connect", never_answers)
    monkeypatch.setattr(datasets, "OFFICIAL", "http://many.example")
    monkeypatch.setenv("DLPY_DATA", "real")
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(Fault, match="15 秒没有回应"):
        datasets.load_boston()
    assert set(tried) <= {"2001:db8::1", "192.0.2.1"} and len(tried) <= 2
    assert "192.0.2.1" in tried
    assert len(socket.getaddrinfo("many.example", 80)) == 18  # 用完就还原
    assert socket.getdefaulttimeout() is None


def test_refused_connection_is_not_tried_again(server, monkeypatch, capsys):
    """auto：三行说明为什么、怎么办，再加一行声明"""
    monkeypatch.setattr(datasets, "OFFICIAL", "http://127.0.0.1:9")
    datasets.load_boston()
    keras_line, *facts, banner = capsys.readouterr().out.splitlines()
    assert keras_line.startswith("Downloading data from http://127.0.0.1:9/")
    why, what_to_do, where = facts
    assert why.startswith("【合成数据】拿不到 boston 的真实数据：http://127.0.0.1:9/")
    assert why.endswith("连接被拒绝")
    assert str(datasets.cache_dir()) in what_to_do and "DLPY_MIRROR" in what_to_do
    file = datasets.BOSTON
    for fact in (file.url, f"{file.size / 1e6:.1f} MB", file.sha256):
        assert fact in where
    assert banner.startswith("【合成数据】") and "不是书中的结果" in banner


def test_unreachable_network(server, monkeypatch, capsys):
    """没有网络时不说英文，也不再试"""
    no_network = OSError(errno.ENETUNREACH, "Network is unreachable")

    def get_file(*args, **kwargs):
        raise urllib.error.URLError(no_network)

    monkeypatch.setattr(datasets.keras.utils, "get_file", get_file)
    datasets.load_boston()
    printed = capsys.readouterr().out
    assert "：网络不通" in printed and "再试一次" not in printed


@pytest.mark.parametrize("status", [404, 403, 500])
def test_http_errors(server, monkeypatch, status):
    monkeypatch.setenv("DLPY_DATA", "real")
    server.files["/mnist.npz"] = status
    with pytest.raises(Fault, match=f"HTTP {status}"):
        datasets.load_mnist()
    assert len(server.requests) == 1  # 服务器明确拒绝，不必再试


def test_real_says_everything_the_reader_needs(server, monkeypatch):
    monkeypatch.setenv("DLPY_DATA", "real")
    server.files = {}
    with pytest.raises(Fault) as caught:
        datasets.load_imdb(50)
    message, file = str(caught.value), datasets.IMDB
    size = f"{file.size / 1e6:.1f} MB"
    for fact in (file.url, size, file.sha256, str(datasets.cache_dir()), "HTTP 404"):
        assert fact in message
    assert datasets.IMDB_WORDS.url in message  # 词表也要，不让读者跑两趟


def test_missing_word_index(server, monkeypatch, capsys):
    """数据有、词表没有：不影响训练，单词显示成编号；real 则停下"""
    server.files["/imdb_word_index.json"] = 404
    datasets.load_imdb(50)
    assert datasets.decode_review([1, 4]) == "<1> <4>"
    assert "imdb_word_index.json" in capsys.readouterr().out
    assert datasets.decode_review([5]) == "<5>"
    assert capsys.readouterr().out == ""  # 说一次就够
    monkeypatch.setenv("DLPY_DATA", "real")
    with pytest.raises(Fault, match="imdb_word_index.json"):
        datasets.decode_review([1, 4])


def test_word_index_goes_with_the_data(server, monkeypatch):
    """中途换成合成数据，或者换回来，词表也跟着换；合成词表不碰网络"""
    monkeypatch.setattr(datasets.synthetic, "make_imdb", tiny_data.make_imdb)
    monkeypatch.setattr(datasets.synthetic, "imdb_word_index", lambda: {"invented": 1})
    monkeypatch.setenv("DLPY_DATA", "synthetic")
    assert datasets.decode_review([4]) == "invented"  # 还没有加载数据
    assert server.requests == []
    monkeypatch.setenv("DLPY_DATA", "auto")
    datasets.load_imdb(50)
    assert datasets.decode_review([4]) == "w1"
    monkeypatch.setenv("DLPY_DATA", "synthetic")
    datasets.load_imdb(50)
    assert datasets.decode_review([4]) == "invented"
    assert datasets.encode_review("invented w1", 50) == [1, 4, 2]


# %% 文件夹


def test_spaces_and_chinese_in_the_path(server, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "我的 缓存"))
    assert_is_mnist(datasets.load_mnist())
    assert (tmp_path / "我的 缓存" / "datasets" / "mnist.npz").exists()


def test_unwritable_cache_falls_back(server, monkeypatch, tmp_path, capsys):
    """缓存不能写：下载到别处，下次从那里读"""
    blocker = tmp_path / "文件"
    blocker.write_text("不是文件夹", encoding="utf-8")
    monkeypatch.setenv("KERAS_HOME", str(blocker))
    monkeypatch.setattr(datasets, "_fallback_dir", lambda: tmp_path / "别处")
    assert_is_mnist(datasets.load_mnist())
    assert "不能写入" in capsys.readouterr().out
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == ["/mnist.npz"]


def test_bad_file_in_read_only_cache(server, monkeypatch, tmp_path, capsys):
    """坏文件改不了名：说明之后跳过它，不加载，也不动它"""
    path = cache("mnist.npz", b"bad")
    monkeypatch.setattr(datasets, "_fallback_dir", lambda: tmp_path / "别处")
    read_only = OSError(30, "Read-only file system")

    real_move = datasets.output.move

    def refuse(source, target):
        if source == path:
            raise read_only
        real_move(source, target)

    monkeypatch.setattr(datasets.output, "move", refuse)
    real_temporary_file = datasets.tempfile.TemporaryFile

    def only_elsewhere(dir):
        if dir == datasets.cache_dir():
            raise read_only
        return real_temporary_file(dir=dir)

    monkeypatch.setattr(datasets.tempfile, "TemporaryFile", only_elsewhere)
    assert_is_mnist(datasets.load_mnist())
    assert path.read_bytes() == b"bad"
    assert "没法改名" in capsys.readouterr().out
    assert (tmp_path / "别处" / "mnist.npz").read_bytes() == GOOD["mnist.npz"]


needs_permissions = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root 不受权限限制"
)


@needs_permissions
def test_read_only_folder_for_real(server, monkeypatch, tmp_path, capsys):
    path = cache("mnist.npz", b"bad")
    cache("boston_housing.npz", GOOD["boston_housing.npz"])
    monkeypatch.setattr(datasets, "_fallback_dir", lambda: tmp_path / "别处")
    path.parent.chmod(0o555)
    try:
        assert_is_mnist(datasets.load_mnist())
        datasets.load_boston()
    finally:
        path.parent.chmod(0o755)
    assert "没法改名" in capsys.readouterr().out
    assert path.read_bytes() == b"bad" and server.requests == ["/mnist.npz"]
    assert [p.name for p in (tmp_path / "别处").iterdir()] == ["mnist.npz"]


def forbid_writing(monkeypatch, tmp_path):
    """缓存和备用的文件夹都建不起来"""
    blocker = tmp_path / "文件"
    blocker.write_text("不是文件夹", encoding="utf-8")
    monkeypatch.setenv("KERAS_HOME", str(blocker))
    monkeypatch.setattr(datasets, "_fallback_dir", lambda: blocker / "别处")


def test_nowhere_to_write(server, monkeypatch, tmp_path, capsys):
    forbid_writing(monkeypatch, tmp_path)
    monkeypatch.setenv("DLPY_DATA", "real")
    with pytest.raises(Fault, match="没有可以写入的缓存文件夹，用 KERAS_HOME"):
        datasets.load_mnist()
    assert capsys.readouterr().out.count("不能写入") == 2
    assert server.requests == []


def test_a_folder_with_the_name_of_the_file(server, capsys):
    """占着正式名字的是个文件夹：存不进去，但下载到的数据照用"""
    (datasets.cache_dir() / "mnist.npz" / "解压的").mkdir(parents=True)
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == ["/mnist.npz"]
    assert "没能存成" in capsys.readouterr().out
    assert files_in_cache() == ["mnist.npz"]


def test_full_disk_is_named(server, monkeypatch):
    """磁盘满了不是网络的毛病：腾出空间之后，同一个主机照常下载"""
    monkeypatch.setenv("DLPY_DATA", "real")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", "mnist.npz")

    with monkeypatch.context() as patch:
        patch.setattr(datasets.keras.utils, "get_file", full)
        with pytest.raises(Fault, match="磁盘满了"):
            try:
                raise TimeoutError  # 正在处理别的异常时，也不会张冠李戴
            except TimeoutError:
                datasets.load_mnist()
    assert files_in_cache() == []
    assert_is_mnist(datasets.load_mnist())


def test_old_leftovers_are_removed(server):
    old, new = (datasets.cache_dir() / f".download-{i}" for i in "ab")
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "mnist.npz").write_bytes(b"half")
    os.utime(old, (0, 0))
    datasets.load_mnist()
    assert not old.exists() and new.exists()  # 另一个进程可能正在往新的里写


# %% 参数和命令行


@pytest.mark.parametrize("load", [datasets.load_imdb, datasets.load_reuters])
@pytest.mark.parametrize(
    ("num_words", "reason"),
    [(n, "要写成整数") for n in ("abc", True, 2.5, None)]
    + [(n, "至少是 4") for n in (-1, 0, 3)],
)
def test_nonsense_num_words(load, num_words, reason):
    with pytest.raises(Fault, match=f"NUM_WORDS = {num_words!r}：{reason}"):
        load(num_words)


def test_huge_num_words_keeps_everything(server):
    (x, _), _ = datasets.load_imdb(10**9)
    assert max(max(s) for s in x) == 3 + max(max(s) for s in IMDB_ARRAYS["x_train"])


def test_status_list(server, capsys):
    cache("mnist.npz", GOOD["mnist.npz"])
    damaged = cache("imdb.npz", b"half")
    assert datasets._command_line([]) == 0
    lines = capsys.readouterr().out.splitlines()
    status = {line.split()[1]: line for line in lines[2:]}
    own = {module.ARCHIVE.name for module in (frogs, jena, photos)}
    assert set(status) == GOOD.keys() | own
    assert "就绪" in status["mnist.npz"] and str(datasets.cache_dir()) in lines[0]
    assert "损坏" in status["imdb.npz"] and damaged.read_bytes() == b"half"
    assert "缺" in status["reuters.npz"]
    # 缓存里是坏的、备用文件夹里是好的，加载得到，就算就绪
    datasets._fallback_dir().mkdir()
    (datasets._fallback_dir() / "imdb.npz").write_bytes(GOOD["imdb.npz"])
    datasets._command_line([])
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if " imdb.npz" in line]
    assert "就绪" in line and line.endswith(str(datasets._fallback_dir() / "imdb.npz"))
    assert server.requests == []


def test_download_command(server, capsys):
    assert datasets._command_line(["download", "imdb", "boston"]) == 0
    assert files_in_cache() == [
        "boston_housing.npz",
        "imdb.npz",
        "imdb_word_index.json",
    ]
    assert datasets._command_line(["download", "nothing"]) == 2
    assert datasets._command_line(["delete"]) == 2
    server.files = {}
    assert datasets._command_line(["download"]) == 1
    printed = capsys.readouterr().out
    assert "HTTP 404" in printed and "cats_and_dogs_small：拿不到" in printed


# %% 能预料的故障只说一句中文


def run_code(code):
    """在新进程里执行 code，等它结束"""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        # 设了 TF_CPP_MIN_LOG_LEVEL，导入 common 时就不导入 TensorFlow，快得多
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("common.Fault('数据拿不到')", "数据拿不到"),
        ("KeyboardInterrupt()", "已中断（Ctrl-C）"),
        (
            "MemoryError()",
            "内存不够：调小脚本开头的 NUM_WORDS、BATCH_SIZE 或 VAL_BATCH_SIZE",
        ),
        ("OSError(28, 'No space', '图.png')", "磁盘满了，没能写完 图.png"),
        ("PermissionError(13, 'denied', '图.png')", "没有读写权限：图.png"),
        ("OSError(30, 'Read-only', '图.png')", "没有读写权限：图.png"),
        ("ValueError('不认识的')", None),
        ("OSError(5, 'Input/output error')", None),
    ],
)
def test_expected_troubles_are_one_line(error, sentence):
    """别的异常保留调用栈；退出码都不是 0"""
    process = run_code(f"import common\nraise {error}")
    assert process.returncode != 0 and process.stdout == ""
    if sentence:
        (line,) = process.stderr.splitlines()
        assert line.startswith(sentence)
    else:
        assert process.stderr.startswith("Traceback")
        assert error.split("(")[0] in process.stderr.splitlines()[-1]


@pytest.mark.parametrize(("later", "one_line"), [(0, True), (6, False)])
def test_ctrl_c_that_became_another_error(later, one_line):
    """刚按过 Ctrl-C，TensorFlow 却报别的错：还是那一句；过了很久才出的错，照常显示"""
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import common\n"
        "try:\n    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n    pass\n"
        f"common._ctrl_c_time -= {later}\n"
        "raise TypeError('not a dtype')"
    )
    process = run_code(code)
    assert process.returncode != 0
    if one_line:
        assert process.stderr == explain(KeyboardInterrupt()) + "\n"
    else:
        assert process.stderr.endswith("TypeError: not a dtype\n")


def test_ctrl_c_in_a_destructor_is_not_lost():
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import common\n"
        "class Slow:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "Slow()\n"
        "time.sleep(1)\n"
        "print('not interrupted')\n"
    )
    process = run_code(code)
    assert process.returncode != 0 and process.stdout == ""
    assert process.stderr == explain(KeyboardInterrupt()) + "\n"


def test_out_of_memory_in_tensorflow_is_one_line():
    kind = type("ResourceExhaustedError", (Exception,), {})
    message = explain(kind("OOM\nDetected at node ..."))
    assert message.startswith("内存不够") and message.endswith("（OOM）")


# %% 真正的进程：被杀死、两个同时、没有调用栈


def python(arguments, home, encoding="utf-8", **env):
    """在新进程里运行 Python，不受这里的设置影响"""
    env |= {"KERAS_HOME": str(home), "PYTHONIOENCODING": encoding}
    env |= dict.fromkeys(["TMPDIR", "TEMP", "TMP"], str(home.parent))
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=inherited | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding=encoding,
    )


def child(code, server_url, home, **settings):
    """在新进程里用小文件执行一段代码"""
    preamble = (
        "import sys; sys.path.append('tests')\n"
        "import test_datasets\n"
        "from common import datasets\n"
        "test_datasets.use_small_files()\n"
        f"datasets.OFFICIAL = '{server_url}'\n"
    )
    return python(["-c", preamble + code], home, **settings)


def finish(process):
    """返回：(标准输出, 标准错误)"""
    try:
        return process.communicate(timeout=60)
    finally:
        process.kill()


def test_killed_download_leaves_no_half_file(server, tmp_path):
    """传到一半时进程被杀死：正式的名字下什么也没有，下次照常下载"""
    content = GOOD["mnist.npz"]
    halfway, killed = threading.Event(), threading.Event()

    def slow(handler):
        handler.start(len(content))
        handler.wfile.write(content[: len(content) // 2])
        handler.wfile.flush()
        halfway.set()
        killed.wait(60)

    server.files["/mnist.npz"] = slow
    process = child("datasets.load_mnist()", server.url, tmp_path / "keras")
    assert halfway.wait(60)
    time.sleep(0.3)
    process.kill()
    finish(process)
    killed.set()
    (leftover,) = files_in_cache()
    assert leftover.startswith(".download-")
    server.files["/mnist.npz"] = content
    assert_is_mnist(datasets.load_mnist())
    assert files_in_cache() == [leftover, "mnist.npz"]


def test_two_processes_at_once(server, tmp_path):
    """两个都成功，只留下一个好文件；控制台是 ASCII 或 GBK，进度条也写得出来"""
    both_asking = threading.Barrier(2)

    def answer(handler):
        both_asking.wait(60)  # 两个请求都到了才开始传
        handler.start(len(GOOD["mnist.npz"]))
        handler.wfile.write(GOOD["mnist.npz"])

    server.files["/mnist.npz"] = answer
    code = "print(datasets.load_mnist()[0][0].sum())"
    processes = [
        child(code, server.url, tmp_path / "keras", encoding=encoding)
        for encoding in ("ascii", "gbk")
    ]
    for process in processes:
        out, err = finish(process)
        assert (process.returncode, err) == (0, "")
        assert out.split()[-1] == str(MNIST_ARRAYS["x_train"].sum())
    assert files_in_cache() == ["mnist.npz"]
    assert (datasets.cache_dir() / "mnist.npz").read_bytes() == GOOD["mnist.npz"]


def test_messages_of_real_processes(server, monkeypatch, tmp_path):
    """real 拿不到数据：标准错误只有那几行话；命令行在 GBK、ASCII 控制台上不崩溃"""
    nowhere, home = "http://127.0.0.1:9", tmp_path / "我的 缓存"
    monkeypatch.setenv("KERAS_HOME", str(home))
    cache("imdb.npz", b"half")
    real = child("datasets.load_mnist()", nowhere, home, DLPY_DATA="real")
    # 后两个进程用不到 Keras，换成空壳，省去导入它的几秒
    (tmp_path / "空壳").mkdir()
    (tmp_path / "空壳" / "keras.py").touch()
    quick = {"PYTHONPATH": str(tmp_path / "空壳"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    module = ["-m", "common.datasets"]
    status = python(module, home, "gbk", **quick)
    wrong = python([*module, "download", "nothing"], home, "ascii", **quick)
    out, err = finish(status)
    assert (status.returncode, err) == (0, "")
    (line,) = [line for line in out.splitlines() if " imdb.npz" in line]
    assert "损坏" in line and line.endswith(str(home / "datasets" / "imdb.npz"))
    assert out.count("缺") == 8  # 除了 imdb.npz，一个也没有
    out, err = finish(wrong)
    assert (wrong.returncode, err) == (2, "") and "mnist" in out
    _, err = finish(real)
    monkeypatch.setenv("DLPY_DATA", "real")
    monkeypatch.setattr(datasets, "OFFICIAL", nowhere)
    with pytest.raises(Fault) as caught:
        datasets.load_mnist()
    assert (real.returncode, err) == (1, f"{caught.value}\n")
    assert "Traceback" not in err
