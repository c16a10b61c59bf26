"""bfloat16_is_faster 按试算的结果决定，不受偶尔变慢的影响"""

from common import hardware

import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture
def pretend(monkeypatch):
    """pretend(float32=[…], bfloat16=[…])：两种精度每次试算要几秒，循环着取"""

    def set_up(**seconds):
        now = [0.0]
        taken = {dtype: 0 for dtype in seconds}

        def make(dtype):
            def step():
                now[0] += seconds[dtype][taken[dtype] % len(seconds[dtype])]
                taken[dtype] += 1
                return tf.constant(0.0)

            return step

        monkeypatch.setattr(hardware, "_convolution_step", make)
        monkeypatch.setattr(hardware.time, "perf_counter", lambda: now[0])
        return hardware.bfloat16_is_faster()

    return set_up


def test_decides_by_the_fastest_of_several_trials(pretend):
    assert pretend(float32=[9, 2, 2], bfloat16=[8, 1, 7]) is True
    assert pretend(float32=[9, 2, 2], bfloat16=[8, 6, 7]) is False
    # 差得不多就不用，免得两次运行结果不同
    assert pretend(float32=[1.2], bfloat16=[1]) is False
    assert pretend(float32=[1.4], bfloat16=[1]) is True


def test_device_without_bfloat16(monkeypatch):
    def unsupported(dtype):
        if dtype == "bfloat16":
            raise tf.errors.UnimplementedError(None, None, "no kernel")
        return lambda: tf.constant(0.0)

    monkeypatch.setattr(hardware, "_convolution_step", unsupported)
    assert hardware.bfloat16_is_faster() is False


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_trial_is_a_convolution_with_gradients(dtype):
    """全是 1：每个输出是 288 个 1 之和，核的梯度是 16 x 70 x 70，图像的梯度另算"""
    total = float(hardware._convolution_step(dtype)().numpy())
    outputs = 16 * 70 * 70 * 64  # 每个输出对核、对图像的梯度都是 1
    expected = outputs * 3 * 3 * 32 * 2
    np.testing.assert_allclose(total, expected, rtol=0.02)
