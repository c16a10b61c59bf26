"""所有测试共用的环境：不弹窗口、不用 GPU、不碰网络和读者的缓存"""

import dataclasses
import functools
import os

os.environ["MPLBACKEND"] = "Agg"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import common  # noqa: F401, E402, I001  先导入它，TensorFlow 才不往屏幕上写日志

import harness  # noqa: E402
import keras  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402
import pytest  # noqa: E402

from common import datasets, frogs, hardware, output, photos  # noqa: E402


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path, request):
    """每个测试有自己的缓存和输出文件夹，官方地址换成必定连不上的"""
    monkeypatch.setattr(output, "OUTPUT", tmp_path / "output")
    monkeypatch.setattr(output, "synthetic_in_use", set())
    datasets._build_reverse_word_index.cache_clear()
    datasets._dead_hosts.clear()
    if "realdata" not in request.keywords:
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        monkeypatch.setattr(datasets, "OFFICIAL", "http://127.0.0.1:9")
        for module in (photos, frogs):
            nowhere = dataclasses.replace(module.ARCHIVE, site="http://127.0.0.1:9")
            monkeypatch.setattr(module, "ARCHIVE", nowhere)
        monkeypatch.delenv("DLPY_MIRROR", raising=False)
        monkeypatch.delenv("DLPY_DATA", raising=False)
    yield
    plt.close("all")
    keras.config.set_dtype_policy("float32")  # 5.2、8.5 节会改


@pytest.fixture
def run_tiny(monkeypatch):
    """run_tiny("3_4_imdb.py", EPOCHS=1)：在微型数据上执行脚本，返回它的变量"""
    # 只试算一次：比较两次运行的测试，两次的数值类型要相同
    chosen = functools.cache(hardware.bfloat16_is_faster)
    monkeypatch.setattr(hardware, "bfloat16_is_faster", chosen)
    monkeypatch.setenv("DLPY_DATA", "synthetic")
    harness.use_tiny_data(monkeypatch.setattr)
    return harness.execute
