"""8.5 节：谁更新谁、中断后接得上、训练垮了会停、尺子量得准"""

from common import Fault, output, synthetic_frogs, training

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from test_scripts import images, table_after

SCRIPT = "8_5_gan.py"

make_frogs = synthetic_frogs.make_frogs  # 测试时会被换成微型的


def weights(model):
    return [np.array(weight) for weight in model.get_weights()]


def changed(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after)]


@pytest.fixture
def patch_loss(monkeypatch):
    """patch_loss(函数)：损失的值换成函数的结果"""
    original = keras.losses.BinaryCrossentropy.__call__

    def patch(change, context=monkeypatch):
        context.setattr(
            keras.losses.BinaryCrossentropy,
            "__call__",
            lambda self, *arguments: change(original(self, *arguments)),
        )

    return patch


def test_gan(run_tiny, capsys):
    ns = run_tiny(SCRIPT, FILTERS=64)
    folder = output.OUTPUT / "8_5_gan"
    assert ns["x_train"].shape == (60, 24, 24, 3) and ns["x_train"].dtype == "float32"
    assert ns["x_train"].min() >= -1 and ns["x_train"].max() <= 1
    np.testing.assert_allclose((ns["x_train"] + 1) * 127.5, ns["frogs"], atol=1e-3)
    assert ns["generator"].outputs[0].dtype == "float32"
    for name, rate in [("discriminator_optimizer", 8e-4), ("gan_optimizer", 2e-4)]:
        optimizer = ns[name]
        assert optimizer.clipvalue == 1.0 and optimizer.iterations == 4
        assert float(optimizer.learning_rate) == pytest.approx(0.02 * rate)
        optimizer.iterations.assign(0)
        assert float(optimizer.learning_rate) == pytest.approx(rate)
    for name, model in [
        ("generator", ns["averaged_generator"]),
        ("discriminator", ns["discriminator"]),
    ]:
        saved = keras.models.load_model(folder / f"{name}.keras")
        assert not any(changed(weights(saved), weights(model)))
    table = pd.read_csv(folder / "history.csv")
    assert list(table["step"]) == [1, 2, 3, 4]
    assert np.isfinite(table[["d_loss", "a_loss"]]).all(axis=None)
    assert list(pd.read_csv(folder / "quality.csv")["step"]) == [2, 4]
    assert images(folder) == ["frogs", "interpolation", "losses", "quality"]
    # 动画：两帧，各不相同，画的是同样的点
    assert images(folder / "checkpoints" / "frogs" / "frames") == ["00002", "00004"]
    with Image.open(folder / "frogs.gif") as animation:
        assert animation.n_frames == 2
        frames = []
        for i in range(2):
            animation.seek(i)
            frames.append(np.asarray(animation.convert("RGB"), float))
    assert all(frame.std() > 10 for frame in frames)
    pictures = [frame[len(frame) // 4 :] for frame in frames]  # 不看标题
    assert np.abs(pictures[0] - pictures[1]).mean() > 0.1
    # 插值的两头就是那两个点
    ends = ns["draw"](ns["fixed_latent_vectors"][:2])
    between = ns["draw"](ns["between"][[0, -1]])
    assert np.abs(ends.astype(int) - between).max() <= 1
    assert ends.dtype == "uint8" and ends.shape == (2, 24, 24, 3)
    printed = capsys.readouterr().out
    rows = table_after(printed, ["项目", "书中", "本次"])
    mean = np.mean(ns["history"]["d_loss"])
    assert rows[0] == ["判别器损失，平均", "0.703", f"{mean:.3f}"]
    assert rows[2] == ["训练的步数", "10000", "4"]


def test_networks_are_the_book_s(run_tiny):
    """书中的两个网络，24x24 时；没有 GPU 时生成器的宽度减半"""
    ns = run_tiny(SCRIPT, ITERATIONS=1, FILTERS=256)
    assert [w.shape for w in ns["generator"].get_weights()[::2]] == [
        (32, 128 * 12 * 12),
        (5, 5, 128, 256),
        (4, 4, 256, 256),
        (5, 5, 256, 256),
        (5, 5, 256, 256),
        (7, 7, 256, 3),
    ]
    assert [w.shape for w in ns["discriminator"].get_weights()[::2]] == [
        (3, 3, 3, 128),
        *[(4, 4, 128, 128)] * 3,
        (128, 1),
    ]
    assert all(layer.negative_slope == 0.3 for layer in leaky(ns["generator"]))
    assert all(layer.negative_slope == 0.3 for layer in leaky(ns["discriminator"]))


def leaky(model):
    found = [x for x in model.layers if isinstance(x, keras.layers.LeakyReLU)]
    assert len(found) in {4, 5}
    return found


@pytest.mark.parametrize(
    ("constant", "still", "moving"),
    [
        ("D_LEARNING_RATE", "discriminator", "generator"),
        ("G_LEARNING_RATE", "generator", "discriminator"),
    ],
)
def test_each_optimizer_updates_one_network(run_tiny, constant, still, moving):
    """一个的学习率是 0，它就一点不动，另一个的每个权重都动：谁也不更新对方"""
    ns = run_tiny(SCRIPT, ITERATIONS=2, **{constant: 0.0})
    before = {name: weights(ns[name]) for name in (still, moving)}
    ns["train_step"](ns["real_images"])
    assert not any(changed(before[still], weights(ns[still])))
    assert all(changed(before[moving], weights(ns[moving])))


def test_drawings_use_averaged_weights(run_tiny):
    """第 3 步之后，平均的权重里，以前的占 3 / 13；最多占 AVERAGING"""
    ns = run_tiny(SCRIPT, ITERATIONS=2)
    before = weights(ns["averaged_generator"])
    ns["train_step"](ns["real_images"])
    now = weights(ns["generator"])
    for old, new, current in zip(before, weights(ns["averaged_generator"]), now):
        np.testing.assert_allclose(new, 3 / 13 * old + 10 / 13 * current, atol=1e-6)
    before = weights(ns["averaged_generator"])
    ns["gan_optimizer"].iterations.assign(100_000)
    ns["train_step"](ns["real_images"])
    now = weights(ns["generator"])
    for old, new, current in zip(before, weights(ns["averaged_generator"]), now):
        np.testing.assert_allclose(new, 0.99 * old + 0.01 * current, atol=1e-6)
    images = ns["averaged_generator"].predict(ns["fixed_latent_vectors"][:3], verbose=0)
    drawn = ns["draw"](ns["fixed_latent_vectors"][:3])
    assert np.abs(drawn - (images + 1) * 127.5).max() <= 1


def test_resumed_equals_uninterrupted(run_tiny, monkeypatch, tmp_path, capsys):
    """第 4 步存盘存到一半被打断，再运行一次，和一次训练完的逐位相同"""
    whole = run_tiny(SCRIPT, ITERATIONS=4)
    monkeypatch.setattr(output, "OUTPUT", tmp_path / "again")
    original, calls = output.save_history, []

    def interrupted(*arguments, **keywords):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(output, "save_history", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_tiny(SCRIPT, ITERATIONS=4)
    capsys.readouterr()
    resumed = run_tiny(SCRIPT, ITERATIONS=4)
    assert "前 2 步不用重来" in capsys.readouterr().out
    for name in ("generator", "averaged_generator", "discriminator"):
        assert not any(changed(weights(whole[name]), weights(resumed[name])))
    assert_same_numbers(resumed["history"], whole["history"])
    assert_same_numbers(resumed["quality"], whole["quality"])
    # 再运行一次：已经训练完，不再训练，结果还是那样
    again = run_tiny(SCRIPT, ITERATIONS=4)
    assert "4 步上次已经训练完" in capsys.readouterr().out
    assert not any(changed(weights(whole["generator"]), weights(again["generator"])))
    assert_same_numbers(again["history"], whole["history"])


def assert_same_numbers(table, expected):
    """pandas 3 以前从 CSV 读回小数，第 16 位有时不同"""
    assert table.keys() == expected.keys()
    for key in table:
        np.testing.assert_allclose(table[key], expected[key], rtol=1e-14, atol=0)


def test_loss_that_is_not_finite(run_tiny, patch_loss, monkeypatch, capsys):
    """损失变成 NaN：停下来说清楚，存过的盘还在，再运行就从那里接着训练"""
    original, calls = output.save_history, []

    def interrupted(*arguments, **keywords):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(output, "save_history", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_tiny(SCRIPT)
    with monkeypatch.context() as patch:
        patch_loss(lambda loss: loss * np.nan, patch)
        with pytest.raises(Fault, match="第 3 步的损失不是有限的数"):
            run_tiny(SCRIPT)
    checkpoints = output.OUTPUT / "8_5_gan" / "checkpoints" / "frogs"
    assert [path.name for path in checkpoints.glob("*.npz")] == ["state-2.npz"]
    capsys.readouterr()
    ns = run_tiny(SCRIPT)
    assert "前 2 步不用重来" in capsys.readouterr().out
    assert len(ns["history"]["d_loss"]) == 4
    assert all(np.isfinite(weight).all() for weight in weights(ns["generator"]))


def test_newest_checkpoint_is_damaged(run_tiny, capsys):
    """最近一次存的盘坏了，用再前一次的；都坏了，说清楚"""
    whole = run_tiny(SCRIPT)
    checkpoints = output.OUTPUT / "8_5_gan" / "checkpoints" / "frogs"
    content = (checkpoints / "state-4.npz").read_bytes()
    (checkpoints / "state-4.npz").write_bytes(content[: len(content) // 2])
    capsys.readouterr()
    ns = run_tiny(SCRIPT)
    printed = capsys.readouterr().out
    assert "state-4.npz 读不出来" in printed and "前 2 步不用重来" in printed
    assert not any(changed(weights(whole["generator"]), weights(ns["generator"])))
    for path in checkpoints.glob("state-*.npz"):
        path.write_bytes(b"half")
    with pytest.raises(Fault, match="存过的盘都读不出来"):
        run_tiny(SCRIPT)


def test_weights_that_are_not_finite():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    assert training.all_finite(model, model)
    kernel = np.array([[0.0, np.inf], [0.0, 0.0]])
    model.layers[0].kernel.assign(kernel)
    assert not training.all_finite(model)
    assert not training.all_finite(keras.Sequential([keras.Input((2,))]), model)


def test_discriminator_has_won(run_tiny, patch_loss, capsys):
    run_tiny(SCRIPT)
    assert "判别器已经赢了" not in capsys.readouterr().out
    patch_loss(lambda loss: loss * 1e-3)
    run_tiny(SCRIPT, SEED=1)
    assert capsys.readouterr().out.count("判别器已经赢了") == 2


@pytest.mark.parametrize(("debug", "times"), [(False, 1), (True, 4)])
def test_debug_runs_every_step_in_python(run_tiny, monkeypatch, debug, times):
    """DEBUG = True 时，train_step 里的每一行每一步都由 Python 执行，断点才停得住"""
    calls = []
    original = keras.losses.BinaryCrossentropy.__call__

    def counted(*arguments):
        calls.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(keras.losses.BinaryCrossentropy, "__call__", counted)
    run_tiny(SCRIPT, DEBUG=debug)
    assert len(calls) == 2 * times


def test_ruler_ranks_and_sees_collapse(run_tiny, monkeypatch):
    """核距离：随机像素 > 早期 > 晚期 > 真的；反复画同一只，多样性接近 0"""
    frogs = make_frogs(1000)
    monkeypatch.setattr(synthetic_frogs, "make_frogs", lambda: frogs)
    ns = run_tiny(SCRIPT, ITERATIONS=1, RULER_EPOCHS=8)
    measure, extract = ns["measure"], ns["extract"]
    rng = np.random.default_rng(0)
    fresh = make_frogs(200, seed=1)
    noise = rng.integers(0, 256, fresh.shape)
    # 青蛙里掺随机的像素，当作训练的早期和晚期画的
    sets = [share * noise + (1 - share) * fresh for share in (1, 0.3, 0.1, 0)]
    distances, spreads = zip(*(measure(extract(images)) for images in sets))
    print(distances, spreads)
    assert distances[0] > 1.5 * distances[1]
    assert distances[1] > 3 * distances[2]
    assert distances[2] > 5 * abs(distances[3])
    assert spreads[3] == pytest.approx(1, abs=0.1)
    same = fresh[:1] + rng.normal(0, 3, fresh.shape)
    assert measure(extract(same))[1] < 0.3
