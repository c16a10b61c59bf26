"""数据加载：在本机的 HTTP 服务器上演一遍读者会遇到的各种网络和文件故障"""

import hashlib
import http.server
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import zipfile
from dataclasses import replace

from common import Fault, datasets, output

import keras
import numpy as np
import pytest
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
REUTERS_ARRAYS = {"x": ragged(RNG, 50), "y": np.arange(50) % 46}
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
            assert all(type(s) is list for s in x) and type(x[0][0]) is int
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


def test_wrong_bytes_from_mirror_are_refused(server, mirror, monkeypatch):
    mirror.files = {"/mnist.npz": GOOD["boston_housing.npz"]}
    monkeypatch.setenv("DLPY_MIRROR", mirror.url)
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == ["/mnist.npz"]
    assert (datasets.cache_dir() / "mnist.npz").read_bytes() == GOOD["mnist.npz"]


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


@pytest.mark.parametrize(
    "content",
    [b"", GOOD["mnist.npz"][:-100], GOOD["boston_housing.npz"], b"<html>404</html>"],
    ids=["空", "截断", "别的文件", "网页"],
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
    monkeypatch.setenv("DLPY_MIRROR", mirror.url)
    file, marker = datasets.DATASETS[name][0], tmp_path / "执行了"
    bad = malicious_npz(marker, file.size)
    with pytest.raises(FileExistsError):  # 这份文件真的会执行代码
        marker.mkdir()
        np.load(io.BytesIO(bad), allow_pickle=True)["x"]
    marker.rmdir()
    cache(file.name, bad)
    mirror.files = {f"/{file.name}": bad}
    load = getattr(datasets, f"load_{name}")
    load(50) if name in {"imdb", "reuters"} else load()
    assert not marker.exists()
    assert output.synthetic_in_use == set()  # 最后从官方地址拿到了真的


@pytest.mark.parametrize("name", ["mnist", "boston"])
def test_repacked_numbers_are_judged_by_content(server, name):
    """镜像常常重新打包：压缩方式、数组次序、整数类型不同，内容一样就认"""
    file = datasets.DATASETS[name][0]
    arrays = dict(reversed(ARRAYS[file.name].items()))
    if name == "mnist":
        arrays["y_train"] = arrays["y_train"].astype("int64")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    assert hashlib.sha256(buffer.getvalue()).hexdigest() != file.sha256
    cache(file.name, buffer.getvalue())
    result = getattr(datasets, f"load_{name}")()
    assert server.requests == []
    if name == "mnist":
        assert_is_mnist(result)


def test_one_changed_pixel_is_refused(server):
    arrays = {key: array.copy() for key, array in MNIST_ARRAYS.items()}
    arrays["x_test"][3, 14, 14] ^= 1
    cache("mnist.npz", npz(**arrays))
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == ["/mnist.npz"]


def test_imdb_is_never_accepted_repacked(server):
    """含 pickle 的文件只认官方的那一份"""
    cache("imdb.npz", npz(**IMDB_ARRAYS | {"extra": np.zeros(1)}))
    datasets.load_imdb(50)
    assert server.requests == ["/imdb.npz"]


# %% 坏网络


def cut_once(content):
    """第一次只传一半就断开，第二次传完"""
    calls = []

    def answer(handler):
        handler.start(len(content))
        calls.append(1)
        handler.wfile.write(content if len(calls) > 1 else content[: len(content) // 2])

    return answer


def test_connection_cut_midway_is_tried_again(server, capsys):
    server.files["/mnist.npz"] = cut_once(GOOD["mnist.npz"])
    assert_is_mnist(datasets.load_mnist())
    assert server.requests == ["/mnist.npz"] * 2
    assert "再试一次" in capsys.readouterr().out
    assert files_in_cache() == ["mnist.npz"]


def test_hanging_server_is_waited_for_once_per_host(server, monkeypatch, capsys):
    monkeypatch.setattr(datasets, "TIMEOUT", 0.2)
    monkeypatch.setenv("DLPY_DATA", "real")
    for name in ("imdb.npz", "reuters.npz"):
        server.files[f"/{name}"] = lambda handler: time.sleep(1)
    with pytest.raises(Fault, match="0.2 秒没有回应"):
        datasets.load_imdb(50)
    assert server.requests == ["/imdb.npz"] * datasets.TRIES
    with pytest.raises(Fault, match="0.2 秒没有回应"):
        datasets.load_reuters(50)
    assert "/reuters.npz" not in server.requests
    assert files_in_cache() == []


def test_refused_connection_is_not_tried_again(server, monkeypatch, capsys):
    monkeypatch.setattr(datasets, "OFFICIAL", "http://127.0.0.1:9")
    datasets.load_boston()
    printed = capsys.readouterr().out
    assert "连接被拒绝" in printed and "再试一次" not in printed
    banner = [line for line in printed.splitlines() if line]
    assert len(banner) <= 6 and banner[-1].startswith("【合成数据】")
    for fact in (str(datasets.cache_dir()), datasets.BOSTON.sha256, "DLPY_MIRROR"):
        assert fact in printed


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


def test_missing_word_index(server, monkeypatch, capsys):
    """数据有、词表没有：不影响训练，单词显示成编号；real 则停下"""
    server.files["/imdb_word_index.json"] = 404
    datasets.load_imdb(50)
    assert datasets.decode_review([1, 4]) == "<1> <4>"
    assert "imdb_word_index.json" in capsys.readouterr().out
    datasets._build_reverse_word_index.cache_clear()
    monkeypatch.setenv("DLPY_DATA", "real")
    with pytest.raises(Fault, match="imdb_word_index.json"):
        datasets.decode_review([1, 4])


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

    def refuse(*args, **kwargs):
        raise read_only

    monkeypatch.setattr(type(path), "rename", refuse)
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


def test_full_disk_is_named(server, monkeypatch):
    monkeypatch.setenv("DLPY_DATA", "real")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device", "mnist.npz")

    monkeypatch.setattr(datasets.keras.utils, "get_file", full)
    with pytest.raises(Fault, match="磁盘满了"):
        datasets.load_mnist()
    assert files_in_cache() == []


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
@pytest.mark.parametrize("num_words", ["abc", -1, 0, 3, True, 2.5, None])
def test_nonsense_num_words(load, num_words):
    with pytest.raises(Fault, match="NUM_WORDS"):
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
    assert set(status) == set(GOOD)
    assert "就绪" in status["mnist.npz"] and str(datasets.cache_dir()) in lines[0]
    assert "损坏" in status["imdb.npz"] and damaged.read_bytes() == b"half"
    assert "缺" in status["reuters.npz"]
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
    assert "HTTP 404" in capsys.readouterr().out


# %% 真正的进程：被杀死、两个同时、没有调用栈


def child(code, server_url, home, **env):
    """在新进程里用小文件执行一段代码"""
    preamble = (
        f"import sys; sys.path[:0] = [r'{ROOT}', r'{ROOT}/tests']\n"
        "import test_datasets\n"
        "from common import datasets\n"
        "test_datasets.use_small_files()\n"
        f"datasets.OFFICIAL = '{server_url}'\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", preamble + code],
        env={k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
        | {"KERAS_HOME": str(home)}
        | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows 没有 SIGKILL")
def test_killed_download_leaves_no_half_file(server, tmp_path):
    """传到一半时进程被杀死：正式的名字下什么也没有，下次照常下载"""
    content, halfway = GOOD["mnist.npz"], threading.Event()

    def slow(handler):
        handler.start(len(content))
        handler.wfile.write(content[: len(content) // 2])
        handler.wfile.flush()
        halfway.set()
        time.sleep(30)

    server.files["/mnist.npz"] = slow
    process = child("datasets.load_mnist()", server.url, tmp_path / "keras")
    assert halfway.wait(60)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (datasets.cache_dir() / "mnist.npz").exists()
    server.files["/mnist.npz"] = content
    assert_is_mnist(datasets.load_mnist())


def test_two_processes_at_once(server, tmp_path):
    code = "print(datasets.load_mnist()[0][0].sum())"
    both = [child(code, server.url, tmp_path / "keras") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert out.split()[-1] == str(MNIST_ARRAYS["x_train"].sum())
    assert files_in_cache() == ["mnist.npz"]


def test_real_without_data_is_one_message_no_traceback(server, tmp_path):
    """ASCII 控制台写不出中文，也不能因此崩溃"""
    process = child(
        "datasets.load_mnist()",
        "http://127.0.0.1:9",
        tmp_path / "keras",
        DLPY_DATA="real",
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("拿不到 mnist 的真实数据") and "Traceback" not in err
    process = child(
        "import common\n"
        "for e in (MemoryError(), KeyboardInterrupt(), OSError(28, 'full', 'a.png')):\n"
        "    sys.excepthook(type(e), e, None)\n"
        "datasets.load_mnist()\n"
        "1 / 0",
        server.url,
        tmp_path / "keras",
        PYTHONIOENCODING="ascii",
    )
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "NUM_WORDS" in err and "Ctrl-C" in err and "a.png" in err
    assert err.count("Traceback") == 1 and "ZeroDivisionError" in err  # 真正的错误照旧
