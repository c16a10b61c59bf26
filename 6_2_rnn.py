"""6.2 理解循环神经网络

任务：按顺序读一条电影评论，判断它是正面（1）还是负面（0）
数据：IMDB 影评 50 000 条，训练、测试各半，只保留最常见的一万个词
网络：Embedding(32) → SimpleRNN(32) 或 LSTM(32) → Dense(1) sigmoid
结果：最高验证精度，SimpleRNN 0.846（书中） → 0.859（实测），LSTM 0.893 → 0.884
      测试精度，书中没有：SimpleRNN 0.848，LSTM 0.872
开销：2 核、没有 GPU 的电脑上 3 分 53 秒，内存 1.4 GB；首次运行下载 19 MB
运行：python 6_2_rnn.py，中断了就再运行一次，接着训练
产出：output/6_2_rnn/ 里的图、训练历史和模型
标着（书外）的单元格是书里没有的补充，可以跳过
"""

import re

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_imdb, load_word_index
from common.plotting import plot_history, save_figure
from common.results import print_comparison, save_history, save_model
from common.training import Checkpoint

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, optimizers

# %% 超参数：想做实验，只改这几行
NUM_WORDS = 10_000  # 只保留最常见的一万个词，书中叫 max_features
MAXLEN = 500  # 每条评论只读 500 个词，书中叫 maxlen
EPOCHS = 10  # 和书中一样
BATCH_SIZE = 128  # 和书中一样；书中前面还写了 batch_size = 32，但是没有用到
VAL_BATCH_SIZE = 500  # 评估不更新权重，批量大小不影响结果，大一些快
# 没有 GPU 时用 XLA 编译，训练时间省四分之一；有 GPU 时由 Keras 决定
JIT_COMPILE = "auto" if tf.config.list_physical_devices("GPU") else True
# Keras 3 的 RMSprop 改了算法，默认值会压低小的梯度，罕见的词就学得慢；1e-14 接近书中
# 当年的做法，推导见 docs/differences.md
EPSILON = 1e-14
SEED = 0  # 随机种子，换一个数，验证精度会变动
# 想让 LSTM 读你自己写的评论，就改这一行，要用英文
MY_REVIEW = "the beginning is boring but the ending is wonderful and moving"

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% 用 NumPy 实现一个简单的 RNN：它就是一个循环，上一步的输出是这一步的状态
# 伪代码：
#     state_t = 0
#     for input_t in input_sequence:
#         output_t = activation(dot(W, input_t) + dot(U, state_t) + b)
#         state_t = output_t
timesteps = 100  # 输入序列的时间步数
input_features = 32  # 每个时间步的输入是 32 个数
output_features = 64  # 每个时间步的输出是 64 个数
inputs = np.random.random((timesteps, input_features))  # (100, 32)，用随机数代替
state_t = np.zeros((output_features,))  # 初始状态全是 0
# 书中的权重是 0 到 1 之间的随机数，加起来太大，tanh 的输出全是 1.0，状态就不起作用了
# randn 是正态分布的随机数，有正有负，再乘 0.1，加起来就不大了
W = 0.1 * np.random.randn(output_features, input_features)  # (64, 32)
U = 0.1 * np.random.randn(output_features, output_features)  # (64, 64)
b = 0.1 * np.random.randn(output_features)  # (64,)

successive_outputs = []
for input_t in inputs:  # input_t 是 (32,)
    output_t = np.tanh(np.dot(W, input_t) + np.dot(U, state_t) + b)  # (64,)
    successive_outputs.append(output_t)
    state_t = output_t

final_output_sequence = np.stack(successive_outputs, axis=0)  # (100, 64)
print("每个时间步一个输出：", final_output_sequence.shape)

# %% 6.2.1 Keras 中的循环层：默认只返回最后一个时间步的输出
# 输入是 (批量, 时间步) 的单词编号，Embedding 层把它变成词向量，(批量, 时间步, 32)
# 书中不写 Input，在 Keras 3 里 summary 就数不出参数；None 是说时间步有多少个都行
model = keras.Sequential([keras.Input((None,)), layers.Embedding(NUM_WORDS, 32)])
# 所有时间步共用一套权重，2 080 个参数：W、U 各 32×32 个，b 32 个
model.add(layers.SimpleRNN(32))  # (批量, 32)
model.summary()

# %% return_sequences=True 返回每个时间步的输出：计算照旧，参数个数也不变
model = keras.Sequential([keras.Input((None,)), layers.Embedding(NUM_WORDS, 32)])
model.add(layers.SimpleRNN(32, return_sequences=True))  # (批量, 时间步, 32)
model.summary()

# %% 循环层堆叠：下一层也要读序列，所以中间的层都返回每个时间步的输出
model = keras.Sequential([keras.Input((None,)), layers.Embedding(NUM_WORDS, 32)])
model.add(layers.SimpleRNN(32, return_sequences=True))
model.add(layers.SimpleRNN(32, return_sequences=True))
model.add(layers.SimpleRNN(32, return_sequences=True))
model.add(layers.SimpleRNN(32))  # 最后一层只返回最后一个输出
model.summary()

# %% 准备 IMDB 数据：每条评论都变成 500 个编号
(input_train, y_train), (input_test, y_test) = load_imdb(NUM_WORDS)
word_index = load_word_index("imdb")  # {单词: 名次}，编号是名次加 3；最后才用
print(len(input_train), "条训练评论")
print(len(input_test), "条测试评论")
# 太长的截掉开头，太短的在开头补 0；书中说看前 500 个词，其实留下的是最后 500 个
# 补在开头很要紧：网络最后读到的是评论，不是一长串 0
input_train = keras.utils.pad_sequences(input_train, maxlen=MAXLEN)
input_test = keras.utils.pad_sequences(input_test, maxlen=MAXLEN)
print("input_train 的形状：", input_train.shape)  # (25000, 500)
print("input_test 的形状：", input_test.shape)  # (25000, 500)

# %% 用 Embedding 层和 SimpleRNN 层来训练模型：验证精度上下跳动，早早开始过拟合
# 输入是 (批量, 500)，词向量是 (批量, 500, 32)
model = keras.Sequential([keras.Input((MAXLEN,)), layers.Embedding(NUM_WORDS, 32)])
model.add(layers.SimpleRNN(32))
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(
    optimizer=optimizers.RMSprop(epsilon=EPSILON),
    loss="binary_crossentropy",
    metrics=["accuracy"],
    jit_compile=JIT_COMPILE,
)
# 每轮存一次，中断之后从上一轮接着训练；改了网络或者这些设置，就从头训练
settings = [NUM_WORDS, MAXLEN, EPOCHS, BATCH_SIZE, SEED]
rnn_checkpoint = Checkpoint("6_2_rnn", "simple_rnn", model, settings)
# verbose=2 每轮只打印两行，默认的进度条在 PyCharm 里会刷屏
model.fit(
    input_train,
    y_train,
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    validation_split=0.2,  # 最后 5 000 条
    validation_batch_size=VAL_BATCH_SIZE,
    initial_epoch=rnn_checkpoint.done,  # 已经训练过几轮，第一次运行是 0
    callbacks=[rnn_checkpoint],
    verbose=2,
)
rnn_history = rnn_checkpoint.history  # 书中的 history.history，包括中断之前的那些轮
save_history(rnn_history, "6_2_rnn", "simple_rnn.csv")

# %% 绘制结果：SimpleRNN 记不住前面的词，验证精度不如 3.4 节只看词、不看顺序的网络
# 书中说还因为只读 500 个词，可是超过 500 个词的评论只占 8%，LSTM 也只读这么多
plot_history(rnn_history, "6_2_rnn", "simple_rnn_")

# %% 6.2.2 理解 LSTM 层和 GRU 层，6.2.3 具体例子：只换一层，精度高了，每轮的时间也长了
# LSTM 多了一条携带轨道 c_t，信息可以原样传到很久以后；GRU 到 6.3 节才用
# 伪代码，state_t 是上一步的 output_t，四组权重用 o、i、f、k 区分：
#     output_t = activation(dot(state_t, Uo) + dot(input_t, Wo) + dot(c_t, Vo) + bo)
#     i_t = activation(dot(state_t, Ui) + dot(input_t, Wi) + bi)
#     f_t = activation(dot(state_t, Uf) + dot(input_t, Wf) + bf)
#     k_t = activation(dot(state_t, Uk) + dot(input_t, Wk) + bk)
#     c_t+1 = i_t * k_t + c_t * f_t
# c_t+1 是下一步的 c_t；f_t 叫遗忘门，接近 1 时，c_t 就一步一步原样传下去
# i_t * k_t 是这一步要记住的新东西
model = keras.Sequential([keras.Input((MAXLEN,)), layers.Embedding(NUM_WORDS, 32)])
model.add(layers.LSTM(32))
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(
    optimizer=optimizers.RMSprop(epsilon=EPSILON),
    loss="binary_crossentropy",
    metrics=["accuracy"],
    jit_compile=JIT_COMPILE,
)
lstm_checkpoint = Checkpoint("6_2_rnn", "lstm", model, settings)
model.fit(
    input_train,
    y_train,
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    validation_split=0.2,
    validation_batch_size=VAL_BATCH_SIZE,
    initial_epoch=lstm_checkpoint.done,
    callbacks=[lstm_checkpoint],
    verbose=2,
)
lstm_history = lstm_checkpoint.history
save_history(lstm_history, "6_2_rnn", "lstm.csv")

# %% 绘制结果：比 SimpleRNN 好得多，接近 3.4 节的密集连接网络，书中还略胜一筹
# 判断褒贬，看用了哪些词往往就够了，词的顺序帮不上多少忙
plot_history(lstm_history, "6_2_rnn", "lstm_")

# %% （书外）上面的 NumPy 循环就是 SimpleRNN：换成 Keras 的权重，输出一样
layer = layers.SimpleRNN(output_features, return_sequences=True)
keras_outputs = layer(inputs[np.newaxis])[0]  # 添上批量轴，(1, 100, 32) → (100, 64)
W, U, b = layer.get_weights()  # (32, 64)、(64, 64)、(64,)，Keras 的 dot 把权重写在右边
state_t = np.zeros((output_features,))
successive_outputs = []
for input_t in inputs:
    state_t = np.tanh(np.dot(input_t, W) + np.dot(state_t, U) + b)
    successive_outputs.append(state_t)

difference = np.abs(np.stack(successive_outputs) - keras_outputs).max()
print(f"NumPy 循环和 SimpleRNN 的输出最多相差 {difference:.1e}")


# %% （书外）几行 NumPy 就是 LSTM：换成 Keras 的权重，输出一样
# 和书中的伪代码不同，o_t 里没有 Vo 和 c_t；先算出新的 c_t，再用 o_t 乘 tanh(c_t)
# i_t、f_t、o_t 经过 sigmoid，都在 0 和 1 之间，像阀门，决定让多少信息通过
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


layer = layers.LSTM(output_features, return_sequences=True)
keras_outputs = layer(inputs[np.newaxis])[0]
W, U, b = layer.get_weights()  # (32, 256)、(64, 256)、(256,)，四组并排，次序是 i f k o
state_t = c_t = np.zeros((output_features,))
successive_outputs = []
for input_t in inputs:
    # 一次算出四组，(256,)，再分成四个 (64,)
    i_t, f_t, k_t, o_t = np.split(np.dot(input_t, W) + np.dot(state_t, U) + b, 4)
    c_t = sigmoid(i_t) * np.tanh(k_t) + c_t * sigmoid(f_t)
    state_t = sigmoid(o_t) * np.tanh(c_t)
    successive_outputs.append(state_t)

difference = np.abs(np.stack(successive_outputs) - keras_outputs).max()
print(f"NumPy 循环和 LSTM 的输出最多相差 {difference:.1e}")

# %% （书外）梯度消失：最后的输出对越早的输入，梯度越小，学习时就顾不上很久以前的词
# 这三个层都没有训练过，读的是 100 步随机数
# LSTM 的遗忘门越接近 1，梯度消失得越慢；接近到多少，由训练决定；SimpleRNN 没有这个门
remembering = layers.LSTM(32)
remembering.build((None, timesteps, input_features))  # 先建好权重，才能改
W, U, b = remembering.get_weights()  # b 是 (128,)，i f k o 各 32 个
b[32:64] = 3  # f 的偏置刚建好时是 1，sigmoid(1) 约为 0.73；sigmoid(3) 约为 0.95
remembering.set_weights([W, U, b])
random_inputs = tf.random.normal((16, timesteps, input_features))  # 16 条序列
plt.figure(layout="constrained")
for title, layer in [
    ("SimpleRNN", layers.SimpleRNN(32)),
    ("LSTM, forget gate 0.73", layers.LSTM(32)),
    ("LSTM, forget gate 0.95", remembering),
]:
    with tf.GradientTape() as tape:  # 用法见 2_4_gradients.py
        tape.watch(random_inputs)  # 默认只跟踪权重，要对输入求梯度，就得指明
        output = layer(random_inputs)[:, 0]  # (16,)，最后一步的 32 个输出，取第一个
    gradient = tape.gradient(output, random_inputs)  # (16, 100, 32)
    # norm 求出每个时间步 32 个梯度的长度，再对 16 条序列取平均
    sizes = np.linalg.norm(gradient, axis=2).mean(axis=0)  # (100,)
    plt.semilogy(sizes[::-1], label=title)  # 纵轴是对数；倒过来画，0 是最后一个时间步

plt.title("Gradient of the last output with respect to earlier inputs")
plt.xlabel("Steps before the end")
plt.ylabel("Gradient norm")
plt.legend()
save_figure("6_2_rnn", "vanishing_gradient")

# %% （书外）测试精度：取验证损失最低的那一轮，和 3.4 节的 0.885 比一比
best_rnn = keras.models.load_model(rnn_checkpoint.best)
best_lstm = keras.models.load_model(lstm_checkpoint.best)
save_model(best_lstm, "6_2_rnn")
_, rnn_acc = best_rnn.evaluate(input_test, y_test, VAL_BATCH_SIZE, verbose=0)
_, lstm_acc = best_lstm.evaluate(input_test, y_test, VAL_BATCH_SIZE, verbose=0)
print(f"测试精度：SimpleRNN {rnn_acc:.4f}，LSTM {lstm_acc:.4f}，3.4 节 0.885")

# %% （书外）LSTM 边读边改主意：每多读一个词，它认为是正面的概率
words = re.findall("[a-z0-9']+", MY_REVIEW.lower())  # 小写，去掉标点
# 词表里没有的词，名次当作 NUM_WORDS，编号就太大，和罕见词一起换成 2
numbers = [word_index.get(word, NUM_WORDS) + 3 for word in words]
numbers = [i if i < NUM_WORDS else 2 for i in numbers]  # 2 是「未知词」
for i in range(len(words)):
    read = [[1] + numbers[: i + 1]]  # 1 是「序列开始」，后面是前 i + 1 个词
    my_x = keras.utils.pad_sequences(read, maxlen=MAXLEN)  # (1, 500)
    probability = best_lstm.predict(my_x, verbose=0)[0, 0]
    print(f"{probability:.2f}  {words[i]}{'（不认识）' if numbers[i] == 2 else ''}")

# %% 书中的结果和本次的结果
# 「书中」的数字取自作者公开的 notebook 的运行记录，书的正文只说约 85% 和 89%
# 每轮秒数取中位数，第一轮的编译就不影响它；书中的秒数是在作者的电脑上测的，不必比较
rnn_val_acc, lstm_val_acc = rnn_history["val_accuracy"], lstm_history["val_accuracy"]
print_comparison(
    [
        ("SimpleRNN 最高验证精度", "0.846", f"{max(rnn_val_acc):.4f}"),
        ("LSTM 最高验证精度", "0.893", f"{max(lstm_val_acc):.4f}"),
        ("SimpleRNN 每轮秒数", "20", f"{np.median(rnn_history['seconds']):.1f}"),
        ("LSTM 每轮秒数", "107", f"{np.median(lstm_history['seconds']):.1f}"),
        ("SimpleRNN 测试精度", "", f"{rnn_acc:.4f}"),
        ("LSTM 测试精度", "", f"{lstm_acc:.4f}"),
    ]
)
plt.show()  # 放在最后，弹出的窗口不会打断训练
