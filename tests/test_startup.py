"""导入 common：不吵，不受外面的设置影响；能预料的故障只说一句中文，其余的保留调用栈"""

import json
import os
import shutil
import subprocess
import sys

import keras
import pytest
from harness import ROOT
from look import images

FAKE_KERAS = """
__version__ = "{}"
class config:
    def set_floatx(value): print(value)
    set_image_data_format = set_floatx
"""
FAKE_TENSORFLOW = "from unittest.mock import MagicMock; data = MagicMock()"


@pytest.fixture
def run_code(tmp_path):
    """run_code(code)：在新进程里执行；Keras 和 TensorFlow 都是空壳，所以很快"""

    def run(code, version="3.15.1", encoding="utf-8", root=ROOT, **env):
        (tmp_path / "keras.py").write_text(FAKE_KERAS.format(version))
        (tmp_path / "tensorflow.py").write_text(FAKE_TENSORFLOW)
        env = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONIOENCODING": encoding, **env}
        env["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{root}"
        command = {"args": [sys.executable, "-c", code], "env": os.environ | env}
        options = {"capture_output": True, "encoding": encoding}
        return subprocess.run(**command, **options, cwd=tmp_path)

    return run


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("common.Fault('数据拿不到')", "数据拿不到"),
        ("KeyboardInterrupt()", "已中断（Ctrl-C）"),
        ("PermissionError(13, 'denied', '图.png')", None),
    ],
)
def test_expected_troubles_are_one_line(run_code, error, sentence):
    process = run_code(f"import common\nraise {error}")
    assert process.returncode != 0
    if sentence:
        (line,) = process.stderr.splitlines()
        assert line.startswith(sentence)
    else:
        assert process.stderr.startswith("Traceback") and "line 2" in process.stderr
        assert process.stderr.splitlines()[-1].startswith(error.split("(")[0])


def test_gbk_console(run_code):
    """写不出的字符变成问号，不中断；Keras 的设置是我们的"""
    process = run_code("import common\nprint('精度 \u2713 R\u00b2')", encoding="gbk")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines() == ["float32", "channels_last", "精度 ? R?"]


def test_old_keras_is_named(run_code):
    process = run_code("import common", version="2.15.0")
    (line,) = process.stderr.splitlines()
    assert "2.15.0" in line and "pip install -U -r requirements.txt" in line
    assert process.returncode == 1


def test_output_that_cannot_be_written_is_said_at_once(run_code, tmp_path):
    """output 是一个文件：导入时就停下，一句话，不等到训练完"""
    root = tmp_path / "副本"
    shutil.copytree(ROOT / "common", root / "common")
    (root / "output").touch()
    process = run_code("import common.results", root=root)
    (line,) = process.stderr.splitlines()
    assert str(root / "output") in line and "写不进去" in line
    assert process.returncode == 1


def real_process(tmp_path, script, *changes, **env):
    """subprocess 的参数：在微型数据上运行脚本，输出在 tmp_path 的「输出」里"""
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    env = {"PYTHONIOENCODING": "gbk", "TEST_OUTPUT": str(tmp_path / "输出"), **env}
    command = [sys.executable, str(ROOT / "tests" / "harness.py"), script, *changes]
    return {"args": command, "cwd": tmp_path, "env": inherited | env}


def test_unfriendly_surroundings(tmp_path):
    """控制台是 GBK，画图的包没装，Keras 设成 JAX 和 float16：照样，没有一句多余的话"""
    env = {"MPLBACKEND": "module://nowhere.backend", "KERAS_BACKEND": "jax"}
    settings = {"floatx": "float16", "image_data_format": "channels_first"}
    (tmp_path / "输出" / "keras").mkdir(parents=True)
    (tmp_path / "输出" / "keras" / "keras.json").write_text(json.dumps(settings))
    command = real_process(tmp_path, "3_4_imdb.py", "experiments=[]", "EPOCHS=2", **env)
    process = subprocess.run(**command, capture_output=True)
    assert (process.returncode, process.stderr.decode("gbk")) == (0, "")
    last = process.stdout.decode("gbk").rstrip().splitlines()[-1]
    assert last.startswith("【合成数据】「本次」是在合成数据（imdb）")
    folder = tmp_path / "输出" / "3_4_imdb"
    assert images(folder) == ["accuracy", "loss"]
    model = keras.models.load_model(folder / "model.keras")
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["输出"]


@pytest.mark.skipif(os.name == "nt", reason="Windows 上关不掉文件描述符")
def test_no_console_at_all(tmp_path):
    """pythonw：标准输出、标准错误都没有，照样跑完"""
    settings = real_process(tmp_path, "2_1_mnist.py")
    settings["args"] = ["sh", "-c", 'exec "$0" "$@" >&- 2>&-', *settings["args"]]
    assert subprocess.run(**settings).returncode == 0
    assert images(tmp_path / "输出" / "2_1_mnist") == ["samples", "wrong"]
