"""第 8 章的脚本，在微型数据上"""

from common import results

import keras
import numpy as np
import pytest
from look import assert_saved, changed, comparison, images, weights
from PIL import Image

GAN, TRAINED = "8_5_gan.py", "上面一行"  # 训练完之后的单元格


@pytest.fixture
def steps(monkeypatch):
    """记下 train_on_batch 的每一次：哪个网络，输入、标签，之后两个网络的权重"""
    calls, nets = [], {}
    original = keras.Model.train_on_batch

    def train_on_batch(self, x, y, **options):
        nets.update({layer.name: layer for layer in (self, *self.layers)})
        known = [nets[n] for n in ("generator", "discriminator") if n in nets]
        if not calls:
            calls.append({net.name: weights(net) for net in known})
        loss = original(self, x, y, **options)
        kind = "discriminator" if self.name == "discriminator" else "generator"
        call = {"trained": kind, "x": np.array(x), "y": y, "loss": float(loss)}
        calls.append(call | {net.name: weights(net) for net in known})
        return loss

    monkeypatch.setattr(keras.Model, "train_on_batch", train_on_batch)
    return calls


def test_each_step_moves_one_network(run_tiny, steps):
    """训练判别器时，它的每个权重都动，生成器一点不动；训练生成器时正相反"""
    ns = run_tiny(GAN, ITERATIONS=3, until=TRAINED)
    before, *calls = steps
    assert [call["trained"] for call in calls] == ["discriminator", "generator"] * 3
    for call in calls:
        for name in {"generator", "discriminator"} & set(before):
            moved = changed(before[name], call[name])
            assert all(moved) if name == call["trained"] else not any(moved)
        before = call
    # 画图用平均过的权重：第 n 步之后，以前的占 (n - 1) / (n + 9)
    expected = calls[1]["generator"]
    for step in (1, 2):
        keep, now = step / (step + 10), calls[1 + 2 * step]["generator"]
        expected = [keep * a + (1 - keep) * b for a, b in zip(expected, now)]
    for a, b in zip(weights(ns["averaged_generator"]), expected):
        np.testing.assert_allclose(a, b, atol=1e-6)
    vectors = ns["fixed_latent_vectors"][:3]
    drawn = ns["draw"](vectors)
    assert drawn.dtype == "uint8" and drawn.shape == (3, 24, 24, 3)
    wanted = (ns["averaged_generator"].predict(vectors, verbose=0) + 1) * 127.5
    assert np.abs(drawn - wanted).max() <= 1


def test_inputs_and_labels_of_each_step(run_tiny, steps):
    """判别器：前一半是生成的，标签略小于 1，后一半是真的，略大于 0；生成器：都谎称真"""
    ns = run_tiny(GAN, ITERATIONS=5, BATCH_SIZE=20, until=TRAINED)
    x_train = ns["x_train"]
    assert x_train.shape == (60, 24, 24, 3) and x_train.dtype == "float32"
    np.testing.assert_allclose((x_train + 1) * 127.5, ns["frogs"], atol=1e-3)
    for i, call in enumerate(steps[1::2]):
        start, y = i % 3 * 20, call["y"][:, 0]  # 60 只，每步 20 只，第 4 步又从头取
        np.testing.assert_array_equal(call["x"][20:], x_train[start : start + 20])
        assert np.abs(call["x"][:20]).max() <= 1 and len(set(y)) == 40
        assert (0.95 <= y[:20]).all() and y.max() <= 1
        assert 0 <= y.min() and (y[20:] <= 0.05).all()
    assert {(c["x"].shape, c["y"].sum()) for c in steps[2::2]} == {((20, 32), 0)}
    assert len({call["x"].tobytes() for call in steps[2::2]}) == 5
    # 记下的是每一步的损失，不是从头算起的平均
    assert ns["history"]["d_loss"] == [call["loss"] for call in steps[1::2]]
    assert ns["history"]["a_loss"] == [call["loss"] for call in steps[2::2]]
    assert len(set(ns["history"]["a_loss"])) == 5


def test_gan(finished):
    run = finished(GAN)
    ns = run.ns
    for name, rate in [("discriminator_optimizer", 8e-4), ("gan_optimizer", 2e-4)]:
        optimizer = ns[name]
        assert optimizer.clipvalue == 1.0 and optimizer.epsilon == 1e-14
        assert optimizer.iterations == 4
        assert float(optimizer.learning_rate) == pytest.approx(0.02 * rate)
        optimizer.iterations.assign(0)
        assert float(optimizer.learning_rate) == pytest.approx(rate)
    assert_saved(run.folder / "generator.keras", ns["averaged_generator"])
    assert_saved(run.folder / "discriminator.keras", ns["discriminator"])
    assert [len(values) for values in ns["history"].values()] == [4, 4]
    for name, count in [("generator", 5), ("discriminator", 4)]:  # 形状在 realdata 里查
        slopes = [getattr(layer, "negative_slope", 0) for layer in ns[name].layers]
        assert slopes.count(0.3) == count
    assert images(run.folder) == ["frogs", "losses"]
    assert images(ns["checkpoint"].folder) == ["00002", "00004"]
    with Image.open(run.folder / "frogs.gif") as animation:
        assert animation.n_frames == 2
    # 每一帧里第 1 行第 3 列，是第 11 个点画出来的
    with Image.open(ns["checkpoint"].folder / "00004.png") as image:
        tile = np.asarray(image)[24:48, 72:96].astype(int)
    assert np.abs(tile - ns["draw"](ns["fixed_latent_vectors"][:32])[11]).max() <= 1
    rows = comparison(run.printed)
    mean = np.mean(ns["history"]["d_loss"])
    assert rows[0] == ["判别器损失，平均", "0.703", f"{mean:.3f}"]
    assert rows[2] == ["训练的步数", "10000", "4"]
    assert rows[3] == ["核距离", f"{ns['distance']:.3f}"]
    assert ns["noise_distance"] > 10 * abs(ns["real_distance"])
    # 尺子没有见过用来量的青蛙
    seen = {frog.tobytes() for frog in ns["frogs"][:36]}
    assert not seen & {frog.tobytes() for frog in ns["real"]}


def test_gan_goes_on_in_the_same_console(run_tiny, steps, monkeypatch, capsys):
    """第 5 步时按 Ctrl-C，在同一个控制台里再运行：从第 4 步接着来；再运行就直接用"""
    original = keras.Model.predict_on_batch

    def interrupted(self, x):
        if len(steps) > 8:
            raise KeyboardInterrupt
        return original(self, x)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(keras.Model, "predict_on_batch", interrupted)
        run_tiny(GAN, ITERATIONS=7, until=TRAINED)
    last = steps[-1]
    steps.clear()
    ns = run_tiny(GAN, ITERATIONS=7, until=TRAINED)
    assert capsys.readouterr().out.count("已经训练过 4 轮（步）") == 1
    start, first, *_ = steps
    assert not any(changed(start["discriminator"], last["discriminator"]))
    np.testing.assert_array_equal(first["x"][4:], ns["x_train"][16:20])
    assert [len(values) for values in ns["history"].values()] == [7, 7]
    for name in ("gan_optimizer", "discriminator_optimizer"):
        assert ns[name].iterations == 7
    steps.clear()
    again = run_tiny(GAN, ITERATIONS=7, until=TRAINED)
    assert steps == [] and "已经训练过 7 轮（步）" in capsys.readouterr().out
    assert again["history"] == ns["history"]
    for name in ("generator", "averaged_generator", "discriminator"):
        assert not any(changed(weights(again[name]), weights(ns[name])))
    assert len(list((results.OUTPUT / "8_5_gan" / "checkpoints").iterdir())) == 1
