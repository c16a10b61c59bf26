"""所有测试共用的环境：不弹窗口、不用 GPU、不碰网络和读者的缓存"""

import contextlib
import functools
import io
import os
from dataclasses import replace
from types import SimpleNamespace

os.environ |= {"MPLBACKEND": "Agg", "CUDA_VISIBLE_DEVICES": "-1"}

from common import download, results, synthetic_in_use  # noqa: E402, I001  先导入它

import harness  # noqa: E402
import keras  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402
import pytest  # noqa: E402

pytest_plugins = ["small_files"]


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path, request):
    """每个测试有自己的缓存和输出文件夹，官方地址换成必定连不上的"""
    monkeypatch.setattr(results, "OUTPUT", tmp_path / "output")
    for name in ("DLPY_MIRROR", "DLPY_DATA"):
        monkeypatch.delenv(name, raising=False)
    if "realdata" in request.keywords:
        monkeypatch.setenv("DLPY_DATA", "real")
    else:
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        for key, file in download.FILES.items():
            nowhere = replace(file, site="http://127.0.0.1:9")
            monkeypatch.setitem(download.FILES, key, nowhere)
    yield
    clean_up()


def clean_up():
    synthetic_in_use.clear()
    plt.close("all")
    keras.config.set_dtype_policy("float32")  # 5.2、8.5 节会改


@pytest.fixture
def run_tiny(monkeypatch):
    """run_tiny("3_4_imdb.py", EPOCHS=1)：在微型数据上执行脚本，返回它的变量"""
    monkeypatch.setenv("DLPY_DATA", "synthetic")
    harness.use_tiny_data(monkeypatch.setattr)
    return harness.execute


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """finished("2_1_mnist.py")：在微型数据上执行完的脚本，每个只执行一次

    返回：ns，脚本的全部变量；printed，打印的文字；folder，输出的文件夹；synthetic，
        用了哪些合成数据
    """

    @functools.cache
    def run(script):
        folder, printed = tmp_path_factory.mktemp("run"), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(results, "OUTPUT", folder)
            patch.setenv("KERAS_HOME", str(folder / "keras"))
            patch.setenv("DLPY_DATA", "synthetic")
            harness.use_tiny_data(patch.setattr)
            with contextlib.redirect_stdout(printed):
                ns = harness.execute(script)
        run = {"ns": ns, "printed": printed.getvalue()}
        run["synthetic"] = {*synthetic_in_use}
        clean_up()
        return SimpleNamespace(folder=folder / script.removesuffix(".py"), **run)

    return run
