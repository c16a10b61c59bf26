"""耶拿天气的替身：列之间守物理规律，有四季和昼夜；最近一两天的历史帮得上忙，更早的没用"""

from common import synthetic_weather

import numpy as np
import pandas as pd
import pytest

ROWS, TRAIN, VALIDATION = 420_551, 200_000, 300_000  # 书中的划分
DELAY, STEP = 144, 6  # 预测一天以后；窗口的最后一个输入是一小时以前


@pytest.fixture(scope="module")
def data():
    """完整的序列，生成一次，大家共用"""
    return synthetic_weather.make_jena()


@pytest.fixture(scope="module")
def normalized(data):
    """减去前 200000 行的平均，除以标准差，同书中"""
    x = data.to_numpy()
    return (x - x[:TRAIN].mean(axis=0)) / x[:TRAIN].std(axis=0)


# %% 形状、类型、可重复


def test_frame_is_like_the_real_file(data):
    """行数、列名、类型、时刻和小数位数"""
    names = """p (mbar)|T (degC)|Tpot (K)|Tdew (degC)|rh (%)|VPmax (mbar)|VPact (mbar)|
    VPdef (mbar)|sh (g/kg)|H2OC (mmol/mol)|rho (g/m**3)|wv (m/s)|max. wv (m/s)|
    wd (deg)"""
    assert list(data.columns) == [name.strip() for name in names.split("|")]
    assert data.shape == (ROWS, 14) and set(data.dtypes.astype(str)) == {"float64"}
    assert isinstance(data.index, pd.DatetimeIndex) and data.index.name == "Date Time"
    assert str(data.index[0]) == "2009-01-01 00:10:00"
    assert (np.diff(data.index) == np.timedelta64(10, "m")).all()
    assert (data.to_numpy() == data.to_numpy().round(2)).all()


def test_same_seed_same_weather(data):
    """种子相同，数据逐个相同；行数少的是开头一段；种子不同，天气不同"""
    few = synthetic_weather.make_jena(rows=3000)
    assert few.equals(synthetic_weather.make_jena(3000, seed=0))
    assert few.index.equals(data.index[:3000])
    # FFT 的长度不同，舍入误差不同，最后一位小数偶尔差 1
    assert np.abs(few - data[:3000]).to_numpy().max() < 0.011
    other = synthetic_weather.make_jena(3000, seed=1)
    assert abs(np.corrcoef(few["p (mbar)"], other["p (mbar)"])[0, 1]) < 0.6
    # 第一行就是正常的天气，不是从平静中慢慢开始的
    first = [synthetic_weather.make_jena(1, i)["p (mbar)"].iloc[0] for i in range(12)]
    assert np.std(first) > 4


# %% 物理


def test_columns_obey_physics(data):
    """导出的列由气压、气温和相对湿度算得出来，只差舍入

    公式和系数在这个气象站的真实记录上核对过：也只差舍入，水汽压多差一点，因为真实
    记录是 10 分钟的平均
    """
    p, t, tpot, dew, rh, vp_max, vp_act, vp_def, sh, h2oc, rho = data.to_numpy().T[:11]
    kelvin, e = t + 273.15, rh / 100 * vp_max
    ratio = np.log(e / 6.1078)
    for column, formula, tolerance in [
        (tpot, kelvin * (1000 / p) ** 0.286, 0.02),
        (vp_max, 6.1078 * np.exp(17.08085 * t / (234.175 + t)), 0.03),
        (vp_act, e, 0.02),
        (vp_def, vp_max - vp_act, 0.02),
        (dew, 234.175 * ratio / (17.08085 - ratio), 0.1),  # 很冷时水汽压只有 1 到 2
        (sh, 622 * e / (p - 0.378 * e), 0.02),
        (h2oc, 1000 * e / p, 0.02),
        (rho, 1e5 * (p - 0.378 * e) / (287.058 * kelvin), 0.05),
    ]:
        assert np.abs(column - formula).max() < tolerance


def test_values_are_possible(data):
    """没有缺失，各列在可能的范围里，平均和真实的相近"""
    assert np.isfinite(data.to_numpy()).all()
    low, high, mean = data.min(), data.max(), data.mean()
    p, t, rh = "p (mbar)", "T (degC)", "rh (%)"
    wv, gust, wd = "wv (m/s)", "max. wv (m/s)", "wd (deg)"
    assert 940 < low[p] < 970 and 1005 < high[p] < 1030 and abs(mean[p] - 989) < 2
    assert -25 < low[t] < -12 and 33 < high[t] < 40 and 8.5 < mean[t] < 10.5
    assert 8 < data[t].std() < 9.2
    assert 10 < low[rh] < 40 and 99.9 < high[rh] <= 100 and 70 < mean[rh] < 80
    assert (data["Tdew (degC)"] <= data[t]).all() and low["VPdef (mbar)"] >= 0
    assert low[wv] >= 0 and (data[gust] >= data[wv]).all()
    assert 1.8 < mean[wv] < 2.6 and 1.4 < mean[gust] / mean[wv] < 1.8
    assert low[wd] >= 0 and high[wd] <= 360
    counts = np.histogram(data[wd], 8, (0, 360))[0] / ROWS
    assert counts.min() > 0.03 and np.argmax(counts) in {4, 5}  # 多刮西南风


def test_seasons_and_days(data):
    """七月比一月热得多；下午最热、日出前后最冷；夏天温差大，晴天尤其大"""
    t = data["T (degC)"]
    months = t.groupby(t.index.month).mean()
    assert months.idxmax() in {6, 7, 8} and months.idxmin() in {12, 1, 2}
    assert 16 < months.max() - months.min() < 22
    summer, winter = t.index.month.isin([6, 7, 8]), t.index.month.isin([12, 1, 2])
    hours = t[summer].groupby(t.index.hour[summer]).mean()
    assert hours.idxmax() in {13, 14, 15, 16} and hours.idxmin() in {3, 4, 5}
    assert 6 < hours.max() - hours.min() < 9
    days = data.resample("D").agg({"T (degC)": np.ptp, "p (mbar)": "mean"})
    swing, p = days["T (degC)"], days["p (mbar)"]
    summer, winter = days.index.month.isin([6, 7, 8]), days.index.month.isin([12, 1, 2])
    assert swing[summer].mean() > 1.7 * swing[winter].mean()
    clear, dull = summer & (p > 993), summer & (p < 985)
    assert swing[clear].mean() > 1.2 * swing[dull].mean()


def test_weather_lasts_for_days(data):
    """天气一天以后还像，十天以后就不像了；气压平滑，风多变，风小时风向不定"""
    p, wv, wd = data["p (mbar)"], data["wv (m/s)"], data["wd (deg)"]
    t = data["T (degC)"]
    usual = t.groupby([t.index.day_of_year, t.index.hour]).transform("mean")
    t = t - usual
    assert 3.5 < t.std() < 5.5
    for series, day in [(p, 0.6), (t, 0.8)]:
        lags = [series.autocorr(lag * 144) for lag in (1, 3, 10)]
        assert abs(lags[0] - day) < 0.1 and lags[0] > lags[1] + 0.2
        assert abs(lags[2]) < 0.2
    assert p.autocorr(1) > 0.999 and 0.85 < wv.autocorr(1) < 0.96
    turn = np.abs((wd.diff() + 180) % 360 - 180)
    assert turn[wv < 1].mean() > 2 * turn[wv > 3].mean()


def test_wind_brings_the_air(data):
    """南风暖，北风冷；西风冬天暖、夏天凉，东风相反：同样的风向，含义随季节而变"""
    t, wd = data["T (degC)"], data["wd (deg)"]
    usual = t.groupby([t.index.month, t.index.hour]).transform("mean")
    warmer = (t - usual)[data["wv (m/s)"] > 1.5]
    wd, month = wd[warmer.index], warmer.index.month

    def facing(degrees, months=range(1, 13)):
        off = np.abs((wd - degrees + 180) % 360 - 180)
        return warmer[(off < 45) & month.isin(list(months))].mean()

    assert facing(180) > facing(0) + 3
    assert facing(270, [12, 1, 2]) > facing(90, [12, 1, 2]) + 1
    assert facing(270, [6, 7, 8]) < facing(90, [6, 7, 8]) - 1


# %% 6.3 节的道理


def mae(normalized, features, target="change"):
    """验证集上的 MAE：最小二乘，features(rows) 是到 rows 一小时以前为止看得到的特征

    target：change 是从最后一个输入到一天以后气温变了多少，value 就是一天以后的气温
    """
    t = normalized[:, 1]
    parts = []
    for start, stop in [(3000, TRAIN), (TRAIN + 1441, VALIDATION)]:
        rows = np.arange(start, stop - DELAY, 12)
        x = features(rows - STEP)
        y = t[rows + DELAY] - (t[rows - STEP] if target == "change" else 0)
        parts.append((np.c_[x, np.ones(len(x))], y))
    (x, y), (x_val, y_val) = parts
    return np.abs(x_val @ np.linalg.lstsq(x, y, rcond=None)[0] - y_val).mean()


def naive_mae(normalized):
    """常识方法：一天以后和最后一个输入一样热"""
    t = normalized[:, 1]
    rows = np.arange(TRAIN + 1441, VALIDATION)
    return np.abs(t[rows + DELAY] - t[rows - STEP]).mean()


def test_naive_baseline_is_like_the_book(normalized):
    """常识方法的 MAE 和书中的 0.29 相近"""
    assert 0.25 < naive_mae(normalized) < 0.33


def test_recent_history_helps_and_old_history_does_not(data, normalized):
    """只看最后一刻，比常识方法好不了多少；加上最近两天刮什么风，就好得多

    一周以前的风没有用；只知道一周以前的天气，还不如常识方法，倒着读的网络就是这样
    """
    wv, wd = data["wv (m/s)"].to_numpy(), np.radians(data["wd (deg)"].to_numpy())
    t = normalized[:, 1]

    def average(x, rows, length):
        total = np.concatenate([[0], np.cumsum(x)])
        return (total[rows + 1] - total[rows + 1 - length]) / length

    def wind(rows):
        """过去 6 小时、18 小时、2 天的平均风，和季节相乘"""
        parts = [
            average(x, rows, length)
            for x in (wv * np.cos(wd), wv * np.sin(wd), np.cos(wd), np.sin(wd))
            for length in (36, 108, 288)
        ]
        parts, season = np.array(parts).T, average(t, rows, 1296)[:, None]
        return np.c_[parts, parts * season]

    def last(rows):
        return normalized[rows]

    def recent(rows):
        return np.c_[last(rows), wind(rows)]

    def old(rows):
        return np.c_[last(rows), wind(rows - 1008)]

    def only_old(rows):
        return recent(rows - 1008)

    naive = naive_mae(normalized)
    now, history, week_old = (mae(normalized, f) / naive for f in (last, recent, old))
    assert 0.92 < now < 1
    assert history < 0.88
    assert abs(week_old - now) < 0.02
    assert mae(normalized, only_old, target="value") > 1.5 * naive
