"""所有数据集共用的一条路：在本机的 HTTP 服务器上演一遍读者会遇到的各种网络故障"""

import socket
import time
import urllib.parse

from common import Fault, datasets, download, synthetic_in_use

import numpy as np
import pytest
from small_files import BOSTON, CONTENT, MNIST, check_mnist, in_cache, npz, put

PATH, WHOLE = "/mnist.npz", CONTENT["mnist"]
SIZE = len(WHOLE)


def part():
    return download.cache_dir() / ".part" / "mnist.npz"


def half(handler):
    """说好了全部，只传剩下的一半就断开"""
    rest = handler.start(WHOLE)
    handler.wfile.write(rest[: len(rest) // 2])


def page(handler):
    """不管要什么，都是登录网络的网页"""
    handler.wfile.write(handler.start(b"<html>" * 9999, False, "text/html"))


def test_downloaded_once(server, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "我的 缓存"))
    for _ in range(2):
        check_mnist(datasets.load_mnist())
    assert server.requests == [(PATH, 0)] and in_cache() == ["mnist.npz"]
    path = tmp_path / "我的 缓存" / "datasets" / "mnist.npz"
    assert path.read_bytes() == WHOLE and synthetic_in_use == set()


def test_slow_download_says_how_far_it_is(server, capsys):
    def drip(handler):
        rest = handler.start(WHOLE)
        for i in range(0, SIZE, SIZE // 10):
            handler.wfile.write(rest[i : i + SIZE // 10])
            time.sleep(0.05)

    server.files[PATH] = drip
    check_mnist(datasets.load_mnist())
    assert "已下载 50%，还要约" in capsys.readouterr().out


@pytest.mark.parametrize("ranges", [True, False])
def test_cut_download_goes_on(server, ranges):
    """断了两次，每次都接着断的地方；总是断，下次运行接着来；服务器不会，就从头来"""
    answers = iter([half, half])
    server.files[PATH] = lambda h: next(answers, lambda h: h.start(WHOLE))(h)
    datasets.load_mnist()
    assert [start for _, start in server.requests] == [0, SIZE // 2, SIZE // 4 * 3]
    assert synthetic_in_use == {"mnist"} and in_cache() == []
    have = part().stat().st_size
    assert part().read_bytes() == WHOLE[:have] and have == SIZE // 4 * 3
    server.requests.clear()
    server.files[PATH] = lambda h: h.wfile.write(h.start(WHOLE, ranges))
    check_mnist(datasets.load_mnist())
    assert server.requests == [(PATH, have)] and synthetic_in_use == set()
    assert (download.cache_dir() / "mnist.npz").read_bytes() == WHOLE


def test_login_page_leaves_the_half_file_alone(server, capsys):
    put(".part/mnist.npz", WHOLE[:1000])
    server.files[PATH] = page
    datasets.load_mnist()
    assert part().read_bytes() == WHOLE[:1000] and "登录" in capsys.readouterr().out
    server.files[PATH] = WHOLE
    check_mnist(datasets.load_mnist())
    assert server.requests[-1] == (PATH, 1000)


@pytest.mark.parametrize("folder", ["", "/datasets", "/教室 的缓存"])
def test_mirror_comes_first(server, servers, monkeypatch, folder):
    """镜像可以是缓存文件夹，也可以是里面的 datasets/，网址末尾有没有斜杠都行"""
    mirror = servers()
    mirror.files = {urllib.parse.quote(f"{folder}{PATH}"): WHOLE}
    for tail in ("", "/"):
        base = "" if folder == "/datasets" else folder
        monkeypatch.setenv("DLPY_MIRROR", mirror.url + base + tail)
        check_mnist(datasets.load_mnist())
        (download.cache_dir() / "mnist.npz").unlink()
    assert server.requests == []


@pytest.mark.parametrize("bad", [404, bytes(SIZE), page], ids=["没有", "不对", "网页"])
def test_official_when_the_mirror_is_no_use(server, servers, monkeypatch, bad):
    """内容不对的改名留着，不会被当成数据"""
    mirror = servers()
    mirror.files = {PATH: bad}
    monkeypatch.setenv("DLPY_MIRROR", mirror.url)
    check_mnist(datasets.load_mnist())
    assert [path for path, _ in mirror.requests] == [PATH, f"/datasets{PATH}"]
    assert server.requests == [(PATH, 0)]
    aside = [p.read_bytes() for p in part().parent.glob("mnist.npz.damaged-*")]
    assert aside == ([bad] if isinstance(bad, bytes) else [])


def test_official_when_the_mirror_is_mistyped(server, monkeypatch):
    monkeypatch.setenv("DLPY_MIRROR", "http://192.168.1..20:8000")
    check_mnist(datasets.load_mnist())


def test_proxy_is_named_and_private_mirror_asked_directly(server, monkeypatch):
    """代理没有开：说出是代理的事；局域网里的地址（这台服务器）不经过它"""
    monkeypatch.setenv("DLPY_DATA", "real")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("DLPY_MIRROR", "http://mirror.example.com")
    check_mnist(datasets.load_mnist())
    server.files.clear()
    with pytest.raises(Fault) as caught:
        datasets.load_boston()
    first = str(caught.value).split("；")[0]
    assert "mirror.example.com" in first and "代理 http://127.0.0.1:9 没有连上" in first
    for host in ("192.168.1.5:8000", "[::1]:80", "classroom:8000"):
        assert download.is_private(f"http://{host}/x")
    assert not download.is_private("http://8.8.8.8/x")


def test_each_kind_of_address_is_tried_once(monkeypatch):
    """官方主机有十几个地址，连不上时不能每个都等 15 秒"""
    four = [(socket.AF_INET, 1, 6, "", (f"192.0.2.{i}", 80)) for i in range(1, 17)]
    six = [(socket.AF_INET6, 1, 6, "", (f"2001:db8::{i}", 80, 0, 0)) for i in (1, 2)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args: six + four)
    with download.one_address_each():
        found = socket.getaddrinfo("many.example", 80)
    assert [entry[4][0] for entry in found] == ["2001:db8::1", "192.0.2.1"]
    assert len(socket.getaddrinfo("many.example", 80)) == 18


def test_stand_in_says_why_and_what_to_do(small, capsys):
    """官方地址连不上：说明哪个网址、为什么、放到哪里，换成合成数据"""
    datasets.load_boston()
    assert synthetic_in_use == {"boston"}
    printed = capsys.readouterr().out
    url = "http://127.0.0.1:9/boston_housing.npz"
    for fact in (f"{url}：没能下载", f"{url}（0.1 MB）", str(download.cache_dir())):
        assert fact in printed
    assert "DLPY_MIRROR" in printed and "不是书中的结果" in printed
    # 数据后来有了，就不再算合成数据
    put("boston_housing.npz", CONTENT["boston"])
    (x, _), _ = datasets.load_boston()
    assert synthetic_in_use == set() and np.isin(x, BOSTON["x"]).all()


def test_real_stops(server, monkeypatch):
    """说出全部要下载的，词表也要，不让读者跑两趟；服务器明确拒绝、不回答，都不再试"""
    monkeypatch.setenv("DLPY_DATA", "real")
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    server.files = {PATH: lambda handler: time.sleep(1)}
    with pytest.raises(Fault, match="0.2 秒没有回应"):
        datasets.load_mnist()
    with pytest.raises(Fault) as caught:
        datasets.load_imdb(50)
    says = ["/imdb.npz", "/imdb_word_index.json", str(download.cache_dir()), "HTTP 404"]
    assert all(fact in str(caught.value) for fact in says)
    assert synthetic_in_use == set() and len(server.requests) == 2


def test_synthetic_touches_neither_cache_nor_network(server, monkeypatch, capsys):
    monkeypatch.setenv("DLPY_DATA", " Synthetic ")
    put("boston_housing.npz", CONTENT["boston"])
    (x, _), _ = datasets.load_boston()
    assert not np.isin(x, BOSTON["x"]).any() and synthetic_in_use == {"boston"}
    assert server.requests == [] and "【合成数据】" in capsys.readouterr().out
    monkeypatch.setenv("DLPY_DATA", "fake")
    with pytest.raises(Fault, match="auto、real 或 synthetic"):
        datasets.load_boston()
    monkeypatch.setenv("DLPY_DATA", "auto")
    for address in ("教室", "ftp://127.0.0.1/", "127.0.0.1:8000"):
        monkeypatch.setenv("DLPY_MIRROR", address)
        with pytest.raises(Fault, match="DLPY_MIRROR=.*http://"):
            datasets.load_mnist()


def test_unwritable_cache(server, monkeypatch, tmp_path, capsys):
    """缓存不能写：不下载，说明怎么办，换成合成数据"""
    (tmp_path / "文件").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "文件"))
    datasets.load_boston()
    assert "用 KERAS_HOME 换一个文件夹" in capsys.readouterr().out
    assert server.requests == [] and synthetic_in_use == {"boston"}


def overwritten(content, at):
    """从 at 起错了几个字节"""
    return content[:at] + b"\xff" * 9 + content[at + 9 :]


DAMAGED = {
    "空": b"",
    "截断": WHOLE[:-100],
    "网页": b"<html>404</html>",
    "错几个字节": overwritten(WHOLE, SIZE // 2),
    "压缩的错几个字节": overwritten(npz(np.savez_compressed, **MNIST), 55),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_is_renamed_and_fetched_again(server, capsys, content):
    path = put("mnist.npz", content)
    check_mnist(datasets.load_mnist())
    assert path.read_bytes() == WHOLE
    (aside,) = path.parent.glob("mnist.npz.damaged-*")
    assert aside.read_bytes() == content and aside.name in capsys.readouterr().out


def test_unreadable_file_is_not_destroyed(server, monkeypatch, capsys):
    """旧文件读不了，下载一份新的：旧的改名留着"""
    path, digest = put("imdb.npz", b"x" * 100), download.sha256

    def refuse(source):
        if source == path:
            raise PermissionError(13, "denied")
        return digest(source)

    monkeypatch.setattr(download, "sha256", refuse)
    datasets.load_imdb(50)
    assert synthetic_in_use == set() and f"读不了 {path}" in capsys.readouterr().out
    (aside,) = path.parent.glob("imdb.npz.damaged-*")
    assert aside.read_bytes() == b"x" * 100
