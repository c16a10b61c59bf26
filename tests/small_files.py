"""自己造的小文件，格式和真的一样；一台想怎么坏就怎么坏的服务器"""

import hashlib
import http.server
import io
import json
import re
import threading
from dataclasses import replace

from common import datasets, download

import harness
import numpy as np
import pytest


def npz(save=np.savez, **arrays):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def ragged(n):
    data = np.empty(n, dtype=object)
    data[:] = [RNG.integers(1, 60, RNG.integers(3, 9)).tolist() for _ in range(n)]
    return data


RNG = np.random.default_rng(0)
MNIST = {
    "x_train": RNG.integers(0, 256, (60, 28, 28)).astype("uint8"),
    "y_train": RNG.integers(0, 10, 60).astype("uint8"),
    "x_test": RNG.integers(0, 256, (10, 28, 28)).astype("uint8"),
    "y_test": RNG.integers(0, 10, 10).astype("uint8"),
}
BOSTON = {"x": RNG.normal(size=(506, 13)), "y": RNG.normal(size=506)}
IMDB = {"x_train": ragged(40), "y_train": np.arange(40) % 2}
IMDB |= {"x_test": ragged(30), "y_test": np.arange(30) % 2}
WORDS = json.dumps({f"w{i}": i for i in range(1, 60)}).encode()
CONTENT = {
    "mnist": npz(**MNIST),
    "boston": npz(**BOSTON),
    "imdb": npz(**IMDB),
    "imdb_words": WORDS,
    "reuters": npz(x=ragged(150), y=np.arange(150) % 46),
    "reuters_words": WORDS,
}


@pytest.fixture
def small(monkeypatch):
    """官方的文件换成 CONTENT，合成数据换成微型的；small(key, content) 再换一个"""
    harness.use_tiny_data(monkeypatch.setattr)

    def use(key, content, **options):
        file = download.FILES[key]
        digest = hashlib.sha256(content).hexdigest() if file.sha256 else ""
        file = replace(file, size=len(content), sha256=digest, **options)
        monkeypatch.setitem(download.FILES, key, file)

    for key, content in CONTENT.items():
        use(key, content)
    for name, arrays in [("MNIST_CONTENT", MNIST), ("BOSTON_CONTENT", BOSTON)]:
        content = b"".join(array.tobytes() for array in arrays.values())
        monkeypatch.setattr(datasets, name, hashlib.sha256(content).hexdigest())
    return use


def put(name, content):
    """放进缓存"""
    path = download.cache_dir() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def in_cache():
    """缓存里的文件，隐藏的 .part 不算"""
    return sorted(p.name for p in download.cache_dir().glob("[!.]*"))


def check_mnist(result):
    arrays = [array for pair in result for array in pair]
    for array, expected in zip(arrays, MNIST.values(), strict=True):
        assert array.dtype == "uint8"
        np.testing.assert_array_equal(array, expected)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.start_at = int(re.sub(r"bytes=(\d+)-", r"\1", self.headers["Range"]))
        self.server.requests.append((self.path, self.start_at))
        answer = self.server.files.get(self.path, 404)
        if callable(answer):
            answer(self)
        elif isinstance(answer, int):
            self.send_error(answer)
        else:
            self.wfile.write(self.start(answer))

    def start(self, content, ranges=True, kind="application/octet-stream"):
        """发送开头；返回要传的部分"""
        rest = content[self.start_at :] if ranges else content
        self.send_response(206 if ranges and self.start_at else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("Content-Type", kind)
        self.end_headers()
        return rest

    def log_message(self, *args):
        pass


@pytest.fixture
def servers():
    """servers()：启动一台；files，{路径: 内容、状态码或者接手的函数}"""
    started = []

    def start():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.files, server.requests = {}, []
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(small, servers, monkeypatch):
    """官方地址指向这台服务器，开始时六个文件都好好的"""
    server = servers()
    for key, content in CONTENT.items():
        small(key, content, site=server.url)
        server.files[f"/{download.FILES[key].name}"] = content
    return server
