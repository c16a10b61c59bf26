"""合成数据也要讲得出书中的道理：在上面真的训练，只是规模小一些；每个脚本作为真正的进程跑

一刻钟左右，平时不跑：python -m pytest -m slow
"""

import subprocess

from common import synthetic

import harness
import numpy as np
import pytest
from harness import SCRIPTS
from look import images
from test_startup import real_process

pytestmark = pytest.mark.slow
make_mnist = synthetic.make_mnist


@pytest.fixture
def run(monkeypatch):
    """在合成数据上执行脚本，只改给出的常量"""
    monkeypatch.setenv("DLPY_DATA", "synthetic")
    return harness.execute_full


def test_digits(run, monkeypatch):
    """2.1 节：测试精度高，但比训练精度低；5.1 节：卷积神经网络错得少得多"""
    monkeypatch.setattr(synthetic, "make_mnist", lambda: make_mnist(23_333))
    ns = run("2_1_mnist.py")
    assert 0.9 < ns["test_acc"] < ns["history"].history["accuracy"][-1] - 0.01
    ns = run("5_1_convnet.py", EPOCHS=4)
    assert 1 - ns["test_acc"] < 0.6 * (1 - ns["dense_acc"])
    # 右移几个像素，卷积神经网络坏得慢
    assert ns["conv_accs"][2] > ns["dense_accs"][2] + 0.02


def test_reviews(run):
    """3.4 节：验证损失先降后升，训练精度一直升到接近 1"""
    ns = run("3_4_imdb.py", experiments=[], EPOCHS=12)
    val_loss, best = ns["val_loss_values"], ns["best_epoch"]
    assert 2 <= best <= 8 and val_loss[-1] > 1.2 * min(val_loss)
    assert 0.82 < max(ns["val_acc_values"]) < 0.92 and ns["acc_values"][-1] > 0.98


def test_newswires(run):
    """3.5 节：验证损失先降后升；中间层只有 4 个单元，验证精度明显低"""
    ns = run("3_5_reuters.py", experiments={})
    history = ns["history"].history
    assert 7 <= ns["best_epoch"] <= 17
    assert history["val_loss"][-1] > 1.02 * min(history["val_loss"])
    assert history["accuracy"][-1] > max(history["val_accuracy"]) + 0.1
    assert 0.75 < ns["val_acc"] < 0.88 and ns["drop"] > 4


def test_overfitting(run):
    """4.4 节：更大的网络过拟合得更重，更小的、正则化的更轻"""
    ns = run("4_4_overfitting.py", EPOCHS=8)
    rise = {}
    for name, _, _, hist in ns["histories"]:
        losses = hist.history["val_loss"]
        rise[name] = losses[-1] - min(losses)
    assert rise["bigger"] > 1.2 * rise["original"] > 0.06
    assert all(rise[name] < 0.8 * rise["original"] for name in ("smaller", "dropout"))
    assert np.subtract(ns["l2_model_val_loss"], ns["l2_model_val_bce"]).min() > 0.02


def test_word_vectors(run):
    """6.1.3 节：只有 200 条时，从影评计算的词向量好得多；样本多了，从头学习就追上来"""
    changes = {"DRAWS": 3, "MORE_SAMPLES": {20_000: 4}}
    ns = run("6_1_embeddings.py", until="（书外）最近的邻居", **changes)
    assert np.mean(ns["best_pretrained"]) > np.mean(ns["best_learned"]) + 0.03
    assert ns["table"][-1][2] > ns["table"][-1][1] - 0.01


def test_distance(run):
    """6.2 节：LSTM 明显好于 SimpleRNN"""
    ns = run("6_2_rnn.py", EPOCHS=5, MAXLEN=200)
    assert 0.75 < ns["rnn_acc"] < ns["lstm_acc"] - 0.02


def test_photos(run):
    """5.2 节：没有数据增强就过拟合；有了它，训练精度低了，验证精度高了"""
    changes = {"IMAGE_SIZE": (64, 64), "EPOCHS": 15, "AUGMENTED_EPOCHS": 20}
    ns = run("5_2_cats_dogs.py", LEARNING_RATE=3e-4, **changes)
    plain, augmented = ns["history"]["accuracy"], ns["augmented_history"]["accuracy"]
    plain_val, augmented_val = ns["plain_val_acc"], ns["augmented_val_acc"]
    assert plain[-1] > 0.9 and plain_val < plain[-1] - 0.1
    assert augmented[-1] < augmented_val + 0.05 and augmented_val > plain_val + 0.03


def test_weather(run):
    """6.3 节：GRU 看得到过去，明显好于基准方法；逆序读明显更差"""
    changes = {"LOOKBACK": 480, "EPOCHS": 5, "DROPOUT_EPOCHS": 1, "STACKED_EPOCHS": 1}
    ns = run("6_3_jena_temp.py", until="换成影评", **changes)
    runs = [ns[name].history["val_loss"] for name in ("dense", "gru", "reversed_gru")]
    dense, gru, backwards = (min(losses) for losses in runs)
    naive = ns["naive_mae"]
    assert 0.25 < naive < 0.33 and gru < 0.93 * naive
    assert backwards > gru + 0.02 and dense > gru + 0.01


def test_conv1d_on_weather(run):
    """6.4 节：只用一维卷积，输给基准方法；接上 GRU，就胜过它"""
    changes = {"IMDB_EPOCHS": 1, "JENA_EPOCHS": 2, "GRU_EPOCHS": 2}
    ns = run("6_4_conv1d.py", until="（书外）书中的建议", **changes)
    naive, conv, gru = ns["naive_mae"], ns["conv_history"], ns["gru_history"]
    assert min(conv["val_loss"]) > 1.2 * naive and min(gru["val_loss"]) < 0.97 * naive


def test_frogs(run):
    """8.5 节的核距离：随机像素 > 掺了很多 > 掺了一些 > 新的青蛙；反复画同一只，很远"""
    ns, rng = run("8_5_gan.py", ITERATIONS=1, FILTERS=8), np.random.default_rng(0)
    fresh = synthetic.make_frogs(200, seed=1)
    noise = rng.integers(0, 256, fresh.shape)
    # 青蛙里掺随机的像素，当作训练的早期和晚期画的
    sets = [share * noise + (1 - share) * fresh for share in (1, 0.3, 0.1, 0)]
    sets.append(fresh[:1] + rng.normal(0, 3, fresh.shape))
    *distances, same = [ns["kernel_distance"](images, ns["real"]) for images in sets]
    assert distances[0] > 1.5 * distances[1] and distances[1] > 2 * distances[2]
    assert distances[2] > 2 * abs(distances[3]) and abs(distances[3]) < 0.04
    assert same > 0.3


@pytest.mark.parametrize("script", SCRIPTS)
def test_as_a_real_process(script, tmp_path):
    """在别的文件夹里、没有图形界面、控制台是 GBK：跑到最后一行，标准错误是空的"""
    process = subprocess.run(**real_process(tmp_path, script), capture_output=True)
    out, err = process.stdout.decode("gbk"), process.stderr.decode("gbk")
    assert (process.returncode, err) == (0, "")
    assert "书中" in out and images(tmp_path / "输出" / script.removesuffix(".py"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["输出"]
