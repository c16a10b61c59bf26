"""真正的进程，随时被打断：再运行一次就好；换了地方、换了控制台也一样"""

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from common import explain

import keras
import pytest
from harness import ROOT, SCRIPTS
from PIL import Image
from test_scripts import real_process


def finish(settings, timeout=180):
    """运行到底：退出码是 0，标准错误是空的；返回标准输出"""
    process = subprocess.run(**settings, capture_output=True, timeout=timeout)
    encoding = settings["env"]["PYTHONIOENCODING"]
    err = process.stderr.decode(encoding)
    assert (process.returncode, err) == (0, "")
    return process.stdout.decode(encoding)


def assert_every_file_is_whole(folder):
    """正式名字的文件都打得开，没有半个的"""
    for path in folder.rglob("*"):
        if path.name.startswith("."):
            continue  # 临时文件，被强行结束时可能留下
        if path.suffix in {".png", ".gif"}:
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".keras":
            keras.models.load_model(path)
        elif path.suffix == ".csv" and "checkpoints" not in path.parts:
            with open(path, encoding="utf-8", newline="") as file:
                lengths = {len(row) for row in csv.reader(file)}
            assert len(lengths) == 1, path


@pytest.mark.parametrize("script", SCRIPTS)
def test_killed_at_a_random_moment(script, tmp_path):
    """强行结束：正式名字的文件都完整；再运行一次，和没有结束过一样跑到底"""
    settings = real_process(tmp_path, script)
    output = tmp_path / "输出" / script.removesuffix(".py")
    seconds = random.uniform(3, 10)
    print(f"{seconds:.2f} 秒之后结束")  # 测试不通过时才看得到
    process = subprocess.Popen(**settings, stdout=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert_every_file_is_whole(output)
    assert "项目" in finish(settings)
    assert_every_file_is_whole(output)
    assert {".keras", ".csv", ".png"} <= {path.suffix for path in output.iterdir()}


@pytest.mark.skipif(os.name == "nt", reason="Windows 上不能只给一个进程发 Ctrl-C")
@pytest.mark.parametrize("script", SCRIPTS)
def test_ctrl_c_at_a_random_moment(script, tmp_path):
    """加载数据、训练、画图，什么时候按 Ctrl-C 都只有一句话"""
    settings = real_process(tmp_path, script)
    seconds = random.uniform(4, 9)
    print(f"{seconds:.2f} 秒之后按 Ctrl-C")
    with open(tmp_path / "out.txt", "wb") as out:
        process = subprocess.Popen(**settings, stdout=out, stderr=subprocess.PIPE)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    # 已经全部做完、Python 正在退出时，没有话说；TensorFlow 把 Ctrl-C 变成别的异常时，
    # 退出码是 1
    finished = "项目" in (tmp_path / "out.txt").read_text("gbk")
    expected = {explain(KeyboardInterrupt()) + "\n"} | ({""} if finished else set())
    assert err.decode("gbk") in expected
    assert process.returncode in {-signal.SIGINT, 1} | ({0} if finished else set())
    assert_every_file_is_whole(tmp_path / "输出" / script.removesuffix(".py"))


def test_two_scripts_at_once(tmp_path):
    """两个脚本同时运行，用同一个输出文件夹"""
    processes = []
    for script in ("2_1_mnist.py", "3_6_boston.py", "2_1_mnist.py"):
        settings = real_process(tmp_path, script)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(**settings, **pipes))
    for process in processes:
        out, err = process.communicate(timeout=180)
        assert (process.returncode, err) == (0, b"")
        assert "项目" in out.decode("gbk")
    for name in ("2_1_mnist", "3_6_boston"):
        assert_every_file_is_whole(tmp_path / "输出" / name)


@pytest.mark.parametrize("script", ["2_1_mnist.py", "5_2_cats_dogs.py", "8_5_gan.py"])
def test_chinese_path_and_ascii_console(script, tmp_path):
    """放在有空格和中文的文件夹里；控制台只会 ASCII，汉字变成问号，但不中断"""
    place = tmp_path / "我的 代码" / "深度学习"
    for name in ("common", "tests"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, place / name, ignore=ignore)
    shutil.copy(ROOT / script, place)
    settings = real_process(tmp_path, script)
    settings["args"] = [sys.executable, str(place / "tests" / "harness.py"), script]
    settings["env"]["PYTHONIOENCODING"] = "ascii"
    settings["env"]["KERAS_HOME"] = str(tmp_path / "缓存 文件夹")
    out = finish(settings)
    assert "??" in out
    assert_every_file_is_whole(tmp_path / "输出" / script.removesuffix(".py"))
