"""6.3 循环神经网络的高级用法

任务：用过去 10 天的天气，预测 24 小时之后的气温
数据：德国耶拿气象站 2009 到 2016 年，每 10 分钟一行，共 420 551 行，14 个物理量
网络：密集连接网络、GRU、带 dropout 的 GRU、堆叠的 GRU、逆序和双向的 GRU 与 LSTM
结果：最低的验证 MAE，书中：基准方法 0.2897，GRU 0.2644
      手边没有书中的数据文件，真实数据上没有测过
      【合成数据】基准方法 0.2899，GRU 0.2496
      影评的验证精度（真实数据）：逆序 LSTM 0.877（书中） → 0.874，双向 0.886 → 0.876
开销：2 核、没有 GPU 的电脑上 30 分钟，内存 2.0 GB；首次运行下载 31 MB
运行：python 6_3_jena_temp.py，可以随时按 Ctrl-C，同样的命令接着做没做完的
产出：output/6_3_jena_temp/ 里的图和模型，checkpoints 里的训练历史
标着（书外）的单元格是书里没有的补充，可以跳过
"""

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_imdb, load_jena
from common.plotting import plot_history, save_figure
from common.results import print_comparison, save_model
from common.training import Checkpoint

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, optimizers

# %% 超参数：想做实验，只改这几行
JENA_CSV = r""  # 换成自己的 CSV，例如 r"D:\mpi_roof.csv"，列和官方文件一样，行数不限
LOOKBACK = 1440  # 看过去多少行：10 天。书中正文写的是 720（5 天），代码用的是 1440
STEP = 6  # 每 6 行取一行，即每小时一个数据点
DELAY = 144  # 预测多少行之后：24 小时
BATCH_SIZE = 128  # 和书中一样
VAL_BATCH_SIZE = 2048  # 评估不更新权重，可以大一些，比 128 快一倍；末尾不满一批的不看
STEPS_PER_EPOCH = 500  # 和书中一样，每轮只用 64 000 个窗口，全部训练窗口约 20 万个
GPU = bool(tf.config.list_physical_devices("GPU"))
# 有 GPU 就用书中的轮数，没有就少一些，也看得出 GRU 胜过基准方法，逆序读不如基准方法
EPOCHS = 20 if GPU else 8
DROPOUT_EPOCHS = 40 if GPU else 8  # 带 dropout 的、双向的 GRU
STACKED_EPOCHS = 40 if GPU else 5  # 堆叠的 GRU，一轮的时间是一层 GRU 的五倍
IMDB_EPOCHS = 10 if GPU else 5
NUM_WORDS = 10_000  # 6.3.8 节的 IMDB 影评，只保留最常见的一万个词
MAXLEN = 500  # 每条影评只看 500 个词
EPSILON = 1e-14  # 影评的 RMSprop 用它，接近书中当年的做法，原因见 docs/differences.md
JIT = "auto" if GPU else True  # CPU 上用 XLA 编译，循环网络一步的时间省三分之一
SEED = 0  # 随机种子，换一个数，验证 MAE 会变动
NAME = "6_3_jena_temp"  # 结果存在 output/ 里叫这个名字的文件夹

# %% 6.3.1 温度预测问题：先看看数据
table = load_jena(JENA_CSV)  # 书中用 split 一行一行地解析，这里用 pandas 读好了
print(f"{len(table)} 行，从 {table.index[0]} 到 {table.index[-1]}")
print("每行 14 个物理量：", list(table.columns))
raw_data = table.to_numpy()  # (420551, 14)，float64；书中标准化前后都叫 float_data

# %% 全部数据的气温：每年一个周期
temp = raw_data[:, 1]  # 下标 1 的列是气温，单位摄氏度
plt.figure(figsize=(9, 4), layout="constrained")
plt.plot(range(len(temp)), temp, linewidth=0.3)
plt.title("Temperature over the full period")
plt.ylabel("Temperature (deg C)")
save_figure(NAME, "temperature")

# %% 前 10 天的气温：看得出每天的周期，但是这几天的变化很不规则
plt.figure(figsize=(9, 4), layout="constrained")
plt.plot(range(1440), temp[:1440])
plt.title("Temperature over the first 10 days, one point every 10 minutes")
plt.ylabel("Temperature (deg C)")
save_figure(NAME, "first_10_days")

# %% 6.3.2 准备数据：按时间先后划分，再标准化
# 前 200 000 行是训练集，其后 100 000 行是验证集，其余是测试集；换了 JENA_CSV，就按同样
# 的比例划分。平均值和标准差只用训练集计算，验证集和测试集事先不能看
num_train = round(len(raw_data) * 200_000 / 420_551)
num_val = round(len(raw_data) * 100_000 / 420_551)
mean = raw_data[:num_train].mean(axis=0)  # (14,)
std = raw_data[:num_train].std(axis=0)
# 风速里有几行是 -9999，意思是没有测到；书中没有处理，这里也照原样用，才能和书中比较
float_data = ((raw_data - mean) / std).astype("float32")  # (420551, 14)


# %% 生成器：不停地给出一批样本和目标，用一批切一批；事先全部切好，内存要 5 GB
# 书中用 Python 循环一个窗口一个窗口地切，这里一行 NumPy 切出一批，快好几倍，结果相同
def generator(data, lookback, delay, min_index, max_index, shuffle, batch_size, step):
    rng = np.random.default_rng(SEED)  # 自己的随机数，和别的实验无关
    i = min_index + lookback
    while True:
        if shuffle:  # 训练：随机抽取
            rows = rng.integers(min_index + lookback, max_index, batch_size)
        else:  # 验证和测试：按顺序，取完一遍从头再取
            if i + batch_size >= max_index:
                i = min_index + lookback
            rows = np.arange(i, min(i + batch_size, max_index))
            i += len(rows)
        # 每个样本的 240 个行号：row-1440、row-1434 … row-6，(128, 240)
        indices = rows[:, np.newaxis] + np.arange(-lookback, 0, step)
        samples = data[indices]  # (128, 240, 14)
        targets = data[rows + delay, 1]  # (128,)，24 小时之后的气温
        yield samples, targets


# 书中的三个生成器；写成函数，每次训练都用新的，从头取数据
# *window 把数据、看多久、预测多久之后这三个值填进前三个参数；后面依次是起止的行号、
# 是否随机抽取、一批多少个、隔几行取一行
# 训练的目标在 row 之后 144 行，会伸进验证集一点，书中也是这样
val_end, test_end = num_train + num_val, len(float_data) - DELAY
window = float_data, LOOKBACK, DELAY


def train_gen():
    return generator(*window, 0, num_train, True, BATCH_SIZE, STEP)


def val_gen():
    return generator(*window, num_train + 1, val_end, False, VAL_BATCH_SIZE, STEP)


def test_gen():
    return generator(*window, val_end + 1, test_end, False, VAL_BATCH_SIZE, STEP)


# 直接把生成器交给 fit，每轮会接着上一轮往下取，验证的窗口就不一样了
# 包成 tf.data 的数据集，每轮都从头取
# signature 是一批的样子：样本 (批量, 时间步, 14)，目标 (批量,)，None 表示大小不限
signature = tf.TensorSpec((None, None, 14)), tf.TensorSpec((None,))
val_data = tf.data.Dataset.from_generator(val_gen, output_signature=signature)
samples, targets = next(train_gen())
print("一批的形状：", samples.shape, targets.shape)  # (128, 240, 14) (128,)
# 要取多少批，才把验证集、测试集看完一遍
val_steps = (num_val - 1 - LOOKBACK) // VAL_BATCH_SIZE
test_steps = (test_end - val_end - 1 - LOOKBACK) // VAL_BATCH_SIZE
# 书中每轮 500 批；换了 JENA_CSV，数据少，每轮的批数也按比例少
train_steps = max(1, STEPS_PER_EPOCH * len(float_data) // 420_551)
if min(val_steps, test_steps) < 1:
    raise SystemExit(f"数据只有 {len(table)} 行：调小 LOOKBACK 或 VAL_BATCH_SIZE")


# %% 6.3.3 基于常识的、非机器学习的基准方法：24 小时之后和现在一样热
# 窗口的最后一个点在 row 之前 1 小时，所以严格说是 25 小时之后，书中也是这样
def evaluate_naive_method(batches, steps):
    batch_maes = []
    for _ in range(steps):
        samples, targets = next(batches)
        preds = samples[:, -1, 1]  # 最后一个时间步的气温，(批量,)
        batch_maes.append(np.mean(np.abs(preds - targets)))
    return float(np.mean(batch_maes))


naive_mae = evaluate_naive_method(val_gen(), val_steps)
# 标准化之后的 1 相当于 std[1] 摄氏度
print(f"基准方法的验证 MAE：{naive_mae:.4f}，即 {naive_mae * std[1]:.2f} 摄氏度")

# %% 6.3.4 一种基本的机器学习方法：把窗口展平交给密集连接网络，打不过基准方法
keras.utils.set_random_seed(SEED)  # 每个网络都从自己的种子出发，和前面做过什么无关
model = keras.Sequential(
    [
        keras.Input(shape=samples.shape[1:]),  # (240, 14)
        layers.Flatten(),  # (3360,)，时间的先后就看不出来了
        layers.Dense(32, activation="relu"),
        layers.Dense(1),  # 回归问题，没有激活函数
    ]
)
model.compile(optimizer=optimizers.RMSprop(), loss="mae")
# 每轮存一次，中断之后从上一轮接着训练；改了网络或者这里列出的设置，就从头训练
data_settings = [JENA_CSV, len(table), LOOKBACK, STEP, DELAY, BATCH_SIZE]
data_settings += [train_steps, SEED]
dense = Checkpoint(NAME, "dense", model, [EPOCHS, *data_settings])
steps = {"steps_per_epoch": train_steps, "validation_steps": val_steps}
steps["shuffle"] = False  # 生成器已经随机抽取；不写这一项，Keras 会警告
steps["verbose"] = 2  # 每轮只打印两行，默认的进度条在 PyCharm 里会刷屏
naive = {"val_loss": [naive_mae] * EPOCHS}  # 基准方法，在每张图上画成虚线
long_naive = {"val_loss": [naive_mae] * DROPOUT_EPOCHS}  # 轮数不同，虚线才一样长
model.fit(
    train_gen(),
    epochs=EPOCHS,
    validation_data=val_data,
    initial_epoch=dense.done,
    callbacks=[dense],  # 每一轮之后 fit 会调用它，7.2 节细讲
    **steps,  # ** 把字典展开成一个个参数
)
plot_history(dense.history, NAME, "dense_", naive, "Naive")

# %% 6.3.5 第一个循环网络基准：GRU 按时间的先后读，这才打败基准方法
# 书中最低约 0.265，反标准化之后是 2.35 摄氏度，基准方法是 2.57 摄氏度
# GRU 的做法和 LSTM 差不多，参数少一些，计算也快一些；只输出最后一个时间步的状态，(32,)
keras.utils.set_random_seed(SEED)
inputs = (None, float_data.shape[-1])  # (None, 14)，None 表示时间步的个数不限
model = keras.Sequential([keras.Input(inputs), layers.GRU(32), layers.Dense(1)])
# Keras 3 的 GRU 默认 reset_after=True，比书中的多 96 个偏置，这样才能用 cuDNN
model.compile(optimizer=optimizers.RMSprop(), loss="mae", jit_compile=JIT)
gru = Checkpoint(NAME, "gru", model, [EPOCHS, *data_settings])
model.fit(
    train_gen(),
    epochs=EPOCHS,
    validation_data=val_data,
    initial_epoch=gru.done,
    callbacks=[gru],
    **steps,
)
plot_history(gru.history, NAME, "gru_", naive, "Naive")

# %% 6.3.6 使用循环 dropout 来降低过拟合：两条损失曲线靠得近了，可以训练得更久
# dropout 丢弃一部分输入，recurrent_dropout 丢弃一部分状态；每个时间步丢弃的单元相同
# 书中训练 40 轮，最低 0.2619，比 GRU 的 0.2644 好一点；8 轮还看不出好处
keras.utils.set_random_seed(SEED)
layer = layers.GRU(32, dropout=0.2, recurrent_dropout=0.2)
model = keras.Sequential([keras.Input(inputs), layer, layers.Dense(1)])
model.compile(optimizer=optimizers.RMSprop(), loss="mae", jit_compile=JIT)
dropout = Checkpoint(NAME, "dropout", model, [DROPOUT_EPOCHS, *data_settings])
model.fit(
    train_gen(),
    epochs=DROPOUT_EPOCHS,
    validation_data=val_data,
    initial_epoch=dropout.done,
    callbacks=[dropout],
    **steps,
)
plot_history(dropout.history, NAME, "dropout_", long_naive, "Naive")

# %% 6.3.7 循环层堆叠：不再过拟合，就可以增加网络的容量
# 下一层也要读序列，所以第一层用 return_sequences 返回每个时间步的状态，(240, 32)
keras.utils.set_random_seed(SEED)
model = keras.Sequential([keras.Input(inputs)])
model.add(layers.GRU(32, dropout=0.1, recurrent_dropout=0.5, return_sequences=True))
model.add(layers.GRU(64, activation="relu", dropout=0.1, recurrent_dropout=0.5))
model.add(layers.Dense(1))
model.compile(optimizer=optimizers.RMSprop(), loss="mae", jit_compile=JIT)
stacked = Checkpoint(NAME, "stacked", model, [STACKED_EPOCHS, *data_settings])
model.fit(
    train_gen(),
    epochs=STACKED_EPOCHS,
    validation_data=val_data,
    initial_epoch=stacked.done,
    callbacks=[stacked],
    **steps,
)
stacked_naive = {"val_loss": [naive_mae] * STACKED_EPOCHS}
plot_history(stacked.history, NAME, "stacked_", stacked_naive, "Naive")


# %% 6.3.8 使用双向 RNN：先看逆序，让 GRU 从最近的一小时读到 10 天以前
# 最后读到的记得最牢，而 10 天以前的天气没有用，所以比基准方法还差
def reverse_order(batches):
    for samples, targets in batches:
        yield samples[:, ::-1, :], targets


keras.utils.set_random_seed(SEED)
model = keras.Sequential([keras.Input(inputs), layers.GRU(32), layers.Dense(1)])
model.compile(optimizer=optimizers.RMSprop(), loss="mae", jit_compile=JIT)
reversed_gru = Checkpoint(NAME, "reversed", model, [EPOCHS, *data_settings])
model.fit(
    reverse_order(train_gen()),
    epochs=EPOCHS,
    validation_data=val_data.map(lambda x, y: (x[:, ::-1, :], y)),  # 每一批也逆序
    initial_epoch=reversed_gru.done,
    callbacks=[reversed_gru],
    **steps,
)
plot_history(reversed_gru.history, NAME, "reversed_", naive, "Naive")

# %% 换成影评：逆序的 LSTM 和 6.2 节正序的差不多好，从哪头读并不重要
# 书中说理解语言要靠词序，只是用哪种次序不要紧；逆序读学到的东西不同，所以值得合起来
# 作者的 notebook 里，最高的验证精度正序是 0.893，逆序是 0.877
(x_train, y_train), (x_test, y_test) = load_imdb(NUM_WORDS)
x_train = [x[::-1] for x in x_train]  # 逆序
# 太长的截掉开头（也就是原文的结尾），太短的在开头补 0
x_train = keras.utils.pad_sequences(x_train, maxlen=MAXLEN)  # (25000, 500)
keras.utils.set_random_seed(SEED)
# 词向量是 (500, 128)，LSTM 只输出最后一个时间步的，(32,)
model = keras.Sequential([keras.Input((MAXLEN,)), layers.Embedding(NUM_WORDS, 128)])
model.add(layers.LSTM(32))
model.add(layers.Dense(1, activation="sigmoid"))
rmsprop = optimizers.RMSprop(epsilon=EPSILON)
model.compile(rmsprop, "binary_crossentropy", metrics=["accuracy"], jit_compile=JIT)
imdb_settings = [IMDB_EPOCHS, NUM_WORDS, MAXLEN, BATCH_SIZE, SEED]
imdb_reversed = Checkpoint(NAME, "imdb_reversed", model, imdb_settings)
model.fit(
    x_train,
    y_train,
    epochs=IMDB_EPOCHS,
    batch_size=BATCH_SIZE,
    validation_split=0.2,  # 最后 5 000 条
    initial_epoch=imdb_reversed.done,
    callbacks=[imdb_reversed],
    verbose=2,
)
plot_history(imdb_reversed.history, NAME, "imdb_reversed_")

# %% 双向 LSTM：正着读一遍，倒着读一遍，两个结果拼在一起，(64,)
# 书中这里用的仍然是逆序的 x_train；两个方向都读，影响不大，只是截掉的是原文的结尾
keras.utils.set_random_seed(SEED)
model = keras.Sequential([keras.Input((MAXLEN,)), layers.Embedding(NUM_WORDS, 32)])
model.add(layers.Bidirectional(layers.LSTM(32)))
model.add(layers.Dense(1, activation="sigmoid"))
rmsprop = optimizers.RMSprop(epsilon=EPSILON)
model.compile(rmsprop, "binary_crossentropy", metrics=["accuracy"], jit_compile=JIT)
imdb_both = Checkpoint(NAME, "imdb_both", model, imdb_settings)
model.fit(
    x_train,
    y_train,
    epochs=IMDB_EPOCHS,
    batch_size=BATCH_SIZE,
    validation_split=0.2,
    initial_epoch=imdb_both.done,
    callbacks=[imdb_both],
    verbose=2,
)
plot_history(imdb_both.history, NAME, "imdb_both_")

# %% 双向 GRU 用于温度预测：逆序的一半帮不上忙，所以和单向的 GRU 差不多
keras.utils.set_random_seed(SEED)
layer = layers.Bidirectional(layers.GRU(32))
model = keras.Sequential([keras.Input(inputs), layer, layers.Dense(1)])
model.compile(optimizer=optimizers.RMSprop(), loss="mae", jit_compile=JIT)
both = Checkpoint(NAME, "bidirectional", model, [DROPOUT_EPOCHS, *data_settings])
model.fit(
    train_gen(),
    epochs=DROPOUT_EPOCHS,
    validation_data=val_data,
    initial_epoch=both.done,
    callbacks=[both],
    **steps,
)
plot_history(both.history, NAME, "bidirectional_", long_naive, "Naive")

# %% （书外）6.3.9 节的最后一条建议：用验证 MAE 最低的网络，在测试集上评估一次
# 其他的建议：改单元个数或学习率，用 LSTM 代替 GRU，换更大的密集连接层
# 各试一次的结果见 docs/measurements.md；想自己试，就改 6.3.5 节的网络
candidates = [dense, gru, dropout, stacked, both]
winner = min(candidates, key=lambda run: min(run.history["val_loss"]))
best_model = keras.models.load_model(winner.best)  # 验证损失最低的那一轮
save_model(best_model, NAME)
test_mae = best_model.evaluate(test_gen(), steps=test_steps, verbose=0)
naive_test_mae = evaluate_naive_method(test_gen(), test_steps)
print(f"测试 MAE：{winner.part} {test_mae:.4f}，基准方法 {naive_test_mae:.4f}")

# %% 6.3.10 小结：书中的结果和本次的结果；温度取最低的验证 MAE，影评取最高的验证精度
# 「书中」取自作者公开的 notebook 的运行记录；书的正文只说 0.29、约 0.265、超过 88%
results = [
    ("密集连接网络", "0.2994", dense),
    ("GRU", "0.2644", gru),
    ("GRU + dropout", "0.2619", dropout),
    ("GRU 堆叠", "0.2633", stacked),
    ("GRU 逆序", "0.3990", reversed_gru),
    ("影评 LSTM 逆序（精度）", "0.8770", imdb_reversed),
    ("影评 LSTM 双向（精度）", "0.8856", imdb_both),
    ("GRU 双向", "0.2615", both),
]
# 只训练一次，几个 GRU 相差 0.01 以内，分不出好坏，换个种子名次就可能变
rows = [("基准方法", "0.2897", f"{naive_mae:.4f}", "", "")]
for title, book, run in results:
    accuracies = run.history.get("val_accuracy")  # 只有影评的两个网络有
    best = max(accuracies) if accuracies else min(run.history["val_loss"])
    seconds = np.median(run.history["seconds"])
    epochs = len(run.history["loss"])
    rows.append((title, book, f"{best:.4f}", epochs, f"{seconds:.1f}"))

print_comparison(rows, ["项目", "书中", "本次", "轮数", "每轮秒"])
if JENA_CSV:
    print(f"「本次」的温度是在 {JENA_CSV} 上算的，不能和书中的结果比较")

plt.show()  # 放在最后，弹出的窗口不会打断训练
