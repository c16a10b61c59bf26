"""合成数据：耶拿气象站天气序列（6.3 节）的替身，列、间隔、行数和真实的一样

不是噪声：一天以后的气温能猜中几分，线索在最近一两天的风向、气压和云里，而且不是线性的
（由 tests/test_synthetic_weather.py 保证），但数字不是书中的数字。给定 seed，每次
生成的都一样；行数少的就是行数多的开头一段
"""

import numpy as np
import pandas as pd

_COLUMNS = [
    *("p (mbar)", "T (degC)", "Tpot (K)", "Tdew (degC)", "rh (%)", "VPmax (mbar)"),
    *("VPact (mbar)", "VPdef (mbar)", "sh (g/kg)", "H2OC (mmol/mol)"),
    *("rho (g/m**3)", "wv (m/s)", "max. wv (m/s)", "wd (deg)"),
]
_DAY = 144  # 一天有几行
_WARM_UP = 60 * _DAY  # 先空转 60 天再开始记录，天气和 60 天以前的无关


def _filter(noise, kernel):
    """每个时刻是过去的加权和，kernel[i] 是 i 步以前的权重；用 FFT 计算卷积"""
    size = 1 << (len(noise) + len(kernel)).bit_length()
    spectrum = np.fft.rfft(noise, size) * np.fft.rfft(kernel, size)
    return np.fft.irfft(spectrum, size)[: len(noise)]


def _age(days):
    """核的横坐标：几天以前"""
    return np.arange(int(days * _DAY)) / _DAY


def _follow(x, days):
    """过去的平均，权重按 days 天的时间常数衰减，就像有热惯性的物体跟着 x 变"""
    kernel = np.exp(-_age(10 * days) / days)
    return _filter(x, kernel / kernel.sum())


def _drift(noise, days, smooth=0.0):
    """自回归噪声，标准差 1，days 天以后相关系数约 0.37；smooth 天以内没有毛刺"""
    age = _age(10 * days)
    kernel = np.exp(-age / days)
    if smooth:
        kernel -= np.exp(-age / smooth)
    return _filter(noise, kernel / np.linalg.norm(kernel))


def _wave(noise, days):
    """周期约 days 天、时强时弱的振荡，标准差 1；第二个比第一个晚四分之一周期"""
    age = _age(3 * days)
    envelope = age * np.exp(-4 * age / days)
    kernels = envelope * np.exp(2j * np.pi * age / days)
    scale = np.linalg.norm(envelope) / np.sqrt(2)
    return [_filter(noise, kernel / scale) for kernel in (kernels.real, kernels.imag)]


def _vapor_pressure(celsius):
    """Magnus 公式：饱和水汽压，单位 mbar，系数和真实数据的相同"""
    return 6.1078 * np.exp(17.08085 * celsius / (234.175 + celsius))


def _weather(day, noise):
    """气压、气温、露点、风向、风速、阵风，都没有舍入

    day：各时刻离 2009 年元旦零点几天；noise：每次 next 取一列白噪声
    """
    year = 2 * np.pi * day / 365.2425
    hour = 2 * np.pi * (day - 12.2 / 24)  # 太阳正午时是 0
    cold = np.cos(year - 0.3)  # 1 月中旬是 1，7 月中旬是 -1
    tilt, latitude = -0.409 * np.cos(year + 0.17), np.radians(50.9)
    sun = np.cos(latitude) * np.cos(tilt) * np.cos(hour)
    sun = (sun + np.sin(latitude) * np.sin(tilt)).clip(0)  # 太阳高度角的正弦
    # 高压、低压轮流过境：低压来之前刮南风，走之后刮北风；也有和风无关的气压变化
    wave, late = _wave(next(noise), 6)
    high = 4 * wave + 4 * _wave(next(noise), 6)[0] + 5 * _drift(next(noise), 4, 0.4)
    # 往北、往东刮的分量，多刮西南风
    south = 0.2 - 0.5 * late + 0.85 * _drift(next(noise), 2.5, 0.3)
    west = 0.45 + 0.9 * _drift(next(noise), 3, 0.3)
    p = 989.2 + (1 + 0.25 * cold) * high + 0.15 * _drift(next(noise), 0.03)
    p += 0.25 * np.cos(2 * hour + 1) - 0.3 * np.cos(hour - 1)  # 气压的日变化
    # 气压低、刮南风或西风时云多
    wet = 0.4 * south + 0.3 * west - 0.04 * high + 0.9 * _drift(next(noise), 0.7, 0.1)
    cloud = 1 / (1 + np.exp(-1.6 * wet - 0.3))  # 云量，0 到 1
    # 气温跟着吹来的空气变：南风暖、北风冷；西风从海上来，冬暖夏凉，东风相反
    # tanh 让冷暖空气界限分明，风向一转就是一道锋面
    air = (6.5 + 1.6 * cold) * np.tanh(1.5 * south) + 3.5 * cold * np.tanh(1.3 * west)
    steady = 1.8 - 7.9 * cold + _follow(air, 1.2)
    steady += (3.1 + 0.6 * cold) * _drift(next(noise), 6, 0.2)
    # 白天晒热，夜里散热，云多则两样都少：温差小，夏天凉快，冬天不冷
    heat = 35 * sun * (1 - 0.72 * cloud) + 5 * cloud
    steady += 0.4 * _follow(heat, 2)
    ground = 0.6 * _follow(heat, 0.16)
    t = steady + ground + 0.3 * _drift(next(noise), 0.05)
    # 露点没有明显的日变化，但不高于气温
    dry = 1.7 + (6 - 2.7 * cold) * (1 - cloud) + 0.5 * (steady - 14).clip(0)
    dry += 1.6 * _drift(next(noise), 0.8, 0.05)
    gap = t - (steady + _follow(ground, 0.7) - dry)
    dew = t - 0.8 * np.logaddexp(0, (gap - 0.3) / 0.8)
    # 测到的风还有乱流；白天风大，风小的时候风向不定
    east = west + 0.4 * _drift(next(noise), 0.12)
    north = south + 0.4 * _drift(next(noise), 0.12)
    speed = 1.85 * np.hypot(east, north) * (1 + 0.15 * cold)
    speed *= 0.75 + 0.5 * _follow(sun * (1 - 0.4 * cloud), 0.08)
    speed *= np.exp(0.3 * _drift(next(noise), 0.03))
    gust = speed * (1.45 + 0.12 * np.abs(next(noise))) + 0.15 * np.abs(next(noise))
    direction = np.degrees(np.arctan2(-east, -north))  # 风从哪里来：0 是北，90 是东
    direction += 25 / (0.4 + speed) * next(noise)
    return p, t, dew, direction % 360, speed, gust


def make_jena(rows=420_551, seed=0):
    """6.3 节的替身：从 2009 年元旦起每 10 分钟一行，有四季、昼夜和一次次过境的天气

    返回：DataFrame，14 列 float64，两位小数，索引 Date Time 是时刻
    真实数据里风速有几个 -9999（坏值），这里没有
    """
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((_WARM_UP + rows, 17))
    day = (np.arange(len(noise)) - _WARM_UP + 1) / _DAY
    weather = (x[_WARM_UP:] for x in _weather(day, iter(noise.T)))
    p, t, dew, direction, speed, gust = weather
    kelvin = t + 273.15
    vp_max, vp_act = _vapor_pressure(t), _vapor_pressure(dew)
    moist = p - 0.378 * vp_act  # 水汽比干空气轻
    columns = [
        *(p, t, kelvin * (1000 / p) ** 0.286, dew, 100 * vp_act / vp_max, vp_max),
        *(vp_act, vp_max - vp_act, 622 * vp_act / moist, 1000 * vp_act / p),
        *(1e5 * moist / (287.058 * kelvin), speed, gust, direction),
    ]
    index = pd.date_range(
        "2009-01-01 00:10", periods=rows, freq="10min", name="Date Time"
    )
    return pd.DataFrame(np.column_stack(columns).round(2), index, _COLUMNS)
