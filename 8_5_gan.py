"""8.5 生成式对抗网络简介

任务：看过 5 000 张青蛙的照片之后，画出没有见过的青蛙
数据：CIFAR-10 训练集里的青蛙，5 000 张 32x32 的彩色照片
网络：生成器，32 个随机数 → 一张图像；判别器，一张图像 → 它是生成器画的概率
结果：平均的损失，书中（10 000 步） → 实测（3 000 步）：判别器 0.703 → 0.615
      对抗 0.772 → 1.149
      核距离，越小越像：随机的像素 5.473，生成的青蛙 0.043，另外的真青蛙 0.000
开销：2 核、没有 GPU 的电脑上 9 分 28 秒，内存 1.4 GB；首次运行下载 170 MB
运行：python 8_5_gan.py，可以随时按 Ctrl-C，同样的命令从上次存盘的那一步接着训练
产出：output/8_5_gan/ 里的图、动画 frogs.gif、两个模型，checkpoints 里的损失
标着（书外）的单元格是书里没有的补充，可以跳过
"""

import time

# 先导入 common，再导入 keras，TensorFlow 才不会往屏幕上写启动日志
from common.datasets import load_frogs
from common.plotting import plot_images, save_figure
from common.results import output_dir, print_comparison, save_model
from common.training import Checkpoint, bfloat16_is_faster

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, optimizers
from PIL import Image

# %% 超参数：想做实验，只改这几行
GPU = bool(tf.config.list_physical_devices("GPU"))
ITERATIONS = 10_000 if GPU else 3_000  # 迭代多少步，书中是一万步，没有 GPU 就少一些
FILTERS = 256 if GPU else 128  # 生成器的宽度，书中是 256；减半，一步的时间只要三分之一
BATCH_SIZE = 20  # 和书中一样，每步看 20 张真的、20 张生成的
LATENT_DIM = 32  # 潜在空间的维数，和书中一样：32 个随机数决定一只青蛙
D_LEARNING_RATE = 0.0008  # 判别器的学习率，和书中一样
G_LEARNING_RATE = 0.0002  # 生成器的学习率；书中是 0.0004，太快，颜色忽黄忽绿
# Keras 3 的 RMSprop 改了算法，默认值会压低小的梯度；1e-14 接近书中当年的做法，
# 推导见 docs/differences.md
EPSILON = 1e-14
SAVE_EVERY = 100  # 每隔多少步打印一次损失、画一次、存一次盘，和书中一样
RULER_EPOCHS = 5  # （书外）评估用的小网络训练几轮
SEED = 0  # 随机种子，换一个数，画出来的就是另一群青蛙

keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较
# 有的处理器用 16 位的浮点数 bfloat16 算卷积快得多，时间能省一半；权重仍然存成 float32
if bfloat16_is_faster():
    keras.config.set_dtype_policy("mixed_bfloat16")

print("计算用的数值类型：", keras.config.dtype_policy().name)

# %% 8.5.1 GAN 的简要实现流程：造假的和鉴定的互相较量，越来越高明
# 生成器把潜在空间的一个点变成一张图像；判别器看一张图像，判断是生成的还是真的
# 判别器学着分清两种图像；生成器学着让判别器把它画的当成真的，自己从没见过真青蛙

# %% 8.5.2 大量技巧：GAN 难训练，下面每用到一个，就在那一行标出来
# 技巧 1：生成器最后一层用 tanh，不用 sigmoid
# 技巧 2：潜在空间的点从正态分布取，不从均匀分布取
# 技巧 3：加一点随机：判别器用 dropout，标签加噪声
# 技巧 4：稀疏的梯度有害：用步进的卷积代替最大池化，用 LeakyReLU 代替 relu
# 技巧 5：步进卷积的核，边长能被步幅整除，每个像素被覆盖的次数才相同，不会出现棋盘格
# 书中没有列出，但写在优化器参数里的还有：学习率逐渐减小，裁剪梯度免得一步迈得太大

# %% 准备数据：CIFAR-10 训练集里标签是 6 的照片；书中放在 8.5.6 节，循环的前面
# 书中是 cifar10.load_data() 和 x_train[y_train.flatten() == 6]，load_frogs 已经挑好了
frogs = load_frogs()  # (5000, 32, 32, 3)，uint8
height, width, channels = frogs.shape[1:]  # 32、32、3
# 书中除以 255，缩放到 [0, 1]；可是 tanh 的输出在 [-1, 1]，判别器光看有没有负数就能分清
# 所以这里把真青蛙也缩放到 [-1, 1]
x_train = frogs.astype("float32") / 127.5 - 1

# %% 8.5.3 生成器：32 个数 → 16x16、深度 128 的特征图 → 32x32 的彩色图像
generator = keras.Sequential(
    [
        keras.Input(shape=(LATENT_DIM,)),
        layers.Dense(128 * height // 2 * width // 2),  # (32768,)
        layers.LeakyReLU(),  # 技巧 4；负数乘以 0.3（默认值），而不是变成 0
        layers.Reshape((height // 2, width // 2, 128)),  # (16, 16, 128)
        layers.Conv2D(FILTERS, 5, padding="same"),  # (16, 16, FILTERS)
        layers.LeakyReLU(),
        # 上采样：高和宽各放大一倍，(32, 32, FILTERS)；技巧 5，边长 4 能被步幅 2 整除
        layers.Conv2DTranspose(FILTERS, 4, strides=2, padding="same"),
        layers.LeakyReLU(),
        layers.Conv2D(FILTERS, 5, padding="same"),  # (32, 32, FILTERS)
        layers.LeakyReLU(),
        layers.Conv2D(FILTERS, 5, padding="same"),  # (32, 32, FILTERS)
        layers.LeakyReLU(),
        # (32, 32, 3)；技巧 1；bfloat16 只有两三位有效数字，所以最后一层用 float32 算
        layers.Conv2D(channels, 7, activation="tanh", padding="same", dtype="float32"),
    ],
    name="generator",
)
generator.summary()  # FILTERS 是 256 时参数 6 264 579 个，和书中相同

# %% 8.5.4 判别器：32x32 的彩色图像 → 它是生成器画的概率
discriminator = keras.Sequential(
    [
        keras.Input(shape=(height, width, channels)),
        layers.Conv2D(128, 3),  # (30, 30, 128)
        layers.LeakyReLU(),
        layers.Conv2D(128, 4, strides=2),  # (14, 14, 128)；技巧 4、5，步幅 2 代替池化
        layers.LeakyReLU(),
        layers.Conv2D(128, 4, strides=2),  # (6, 6, 128)
        layers.LeakyReLU(),
        layers.Conv2D(128, 4, strides=2),  # (2, 2, 128)
        layers.LeakyReLU(),
        layers.Flatten(),  # (512,)
        layers.Dropout(0.4),  # 技巧 3
        layers.Dense(1, activation="sigmoid", dtype="float32"),
    ],
    name="discriminator",
)
discriminator.summary()  # 参数 790 913 个，和书中相同


# 书中写作 decay=1e-8，一万步才减小万分之一，Keras 3 也取消了这个参数
# 这里沿着余弦曲线减小到 2%；步数少时，不这样就画得忽好忽坏，最后一步未必好
def build_optimizer(learning_rate):
    schedule = optimizers.schedules.CosineDecay(learning_rate, ITERATIONS, alpha=0.02)
    return optimizers.RMSprop(schedule, clipvalue=1.0, epsilon=EPSILON)


discriminator_optimizer = build_optimizer(D_LEARNING_RATE)
discriminator.compile(optimizer=discriminator_optimizer, loss="binary_crossentropy")

# %% 8.5.5 对抗网络：生成器接上判别器；训练它时冻结判别器，只更新生成器
# 书中编译判别器之后就设 trainable = False，再编译 gan。在 Keras 3 上这样写，判别器一步
# 也不会更新，因为 Keras 3 到第一次训练时才看 trainable，那时已经是 False 了
# 所以下面每训练一个，先设一次 trainable；其实只有第一步起作用，以后 Keras 不再看它
gan_input = keras.Input(shape=(LATENT_DIM,))
gan_output = discriminator(generator(gan_input))
gan = keras.Model(gan_input, gan_output)
gan_optimizer = build_optimizer(G_LEARNING_RATE)
gan.compile(optimizer=gan_optimizer, loss="binary_crossentropy")
# 训练中的生成器左右摇摆；书中没有的一招：另留一份权重，是近一百步的平均，画得稳得多
averaged_generator = keras.models.clone_model(generator)
keras.config.set_dtype_policy("float32")  # 只有这几个网络用 bfloat16，以后建的不用

# %% 每 100 步存一次，中断之后接着训练；改了网络或者 settings 里的设置，就从头训练
# 只改了下面循环里的做法，要先删掉 checkpoints 文件夹
# 不用 fit，要存哪些变量就得自己列出来：三个网络的权重，两个优化器记着的梯度平方的平均
# 优化器的变量本来到第一次训练时才有，所以先 build
discriminator_optimizer.build(discriminator.trainable_variables)
gan_optimizer.build(generator.trainable_variables)
variables = generator.variables + discriminator.variables + averaged_generator.variables
variables += discriminator_optimizer.variables + gan_optimizer.variables
settings = [ITERATIONS, BATCH_SIZE, D_LEARNING_RATE, G_LEARNING_RATE, len(frogs), SEED]
checkpoint = Checkpoint("8_5_gan", "frogs", gan, settings, variables)
history = checkpoint.history
fixed_latent_vectors = np.random.default_rng(SEED).normal(size=(200, LATENT_DIM))


def draw(latent_vectors):  # (n, 32) → (n, 32, 32, 3) 的 uint8
    images = averaged_generator.predict(latent_vectors, batch_size=50, verbose=0)
    # 书中乘以 255 就存，负数会绕回去变成亮点；这里从 [-1, 1] 换算到 0 到 255
    return ((images + 1) * 127.5).astype("uint8")


# %% 8.5.6 如何训练 DCGAN：每一步先训练判别器，再训练生成器
# 损失降不到 0，也不该降到 0：两个网络谁也赢不了谁才是好的
# 书中提醒：对抗损失猛增，判别器损失趋近 0，就是判别器一边倒，这时减小判别器的学习率，
# 增大它的 dropout 比率
done = len(history.get("d_loss", []))  # 训练过几步；只重新运行这一格，也接着训练
# 真照片从第几张取起：从头训练是 0，接着训练就从上次停下的地方
start = done % (len(x_train) // BATCH_SIZE) * BATCH_SIZE
clock = time.monotonic()
for step in range(done, ITERATIONS):
    # 技巧 2：从潜在空间随机取 20 个点，让生成器画成图像
    random_latent_vectors = np.random.normal(size=(BATCH_SIZE, LATENT_DIM))
    generated_images = generator.predict_on_batch(random_latent_vectors)
    # 生成的和真的拼在一起，标签分别是 1 和 0
    real_images = x_train[start : start + BATCH_SIZE]
    combined_images = np.concatenate([generated_images, real_images])  # (40, 32, 32, 3)
    labels = np.concatenate([np.ones((BATCH_SIZE, 1)), np.zeros((BATCH_SIZE, 1))])
    # 技巧 3：标签加噪声。书中是加上，1 变得比 1 大，损失可能变成负数
    # 这里是减去，再取绝对值：1 变成 0.95 到 1，0 变成 0 到 0.05
    labels = np.abs(labels - 0.05 * np.random.random(labels.shape))
    # 训练判别器；reset_metrics 让返回的是这一步的损失，不是从头算起的平均
    discriminator.trainable = True
    discriminator.reset_metrics()
    d_loss = float(discriminator.train_on_batch(combined_images, labels))
    # 训练生成器：另取 20 个点，谎称画的都是真的（标签 0），判别器越不信损失越大
    random_latent_vectors = np.random.normal(size=(BATCH_SIZE, LATENT_DIM))
    misleading_targets = np.zeros((BATCH_SIZE, 1))
    discriminator.trainable = False
    gan.reset_metrics()
    a_loss = float(gan.train_on_batch(random_latent_vectors, misleading_targets))
    start += BATCH_SIZE
    if start > len(x_train) - BATCH_SIZE:
        start = 0
    # 新的平均 = 旧的平均的 0.99 倍 + 现在的权重的 0.01 倍，大约是近一百步的平均
    keep = min(0.99, step / (step + 10))  # 开头只平均最近几步，不留着初始的权重
    for average, weight in zip(averaged_generator.weights, generator.weights):
        average.assign(keep * average + (1 - keep) * weight)
    history.setdefault("d_loss", []).append(d_loss)
    history.setdefault("a_loss", []).append(a_loss)
    count = step + 1
    if count % SAVE_EVERY == 0 or count == ITERATIONS:
        minutes = (time.monotonic() - clock) / 60 / (count - done)
        print(f"第 {count} 步，损失：判别器 {d_loss:.3f}，对抗 {a_loss:.3f}，", end="")
        print(f"还要约 {minutes * (ITERATIONS - count):.0f} 分钟", flush=True)
        # 同样的 32 个点画出来的，排成 4 行 8 列；swapaxes 之后是 (4, 32, 8, 32, 3)，
        # 前两个轴合成 128 行像素，后面两个合成 256 列
        tiles = draw(fixed_latent_vectors[:32]).reshape(4, 8, height, width, channels)
        mosaic = tiles.swapaxes(1, 2).reshape(4 * height, 8 * width, channels)
        Image.fromarray(mosaic).save(checkpoint.folder / f"{count:05d}.png")
        checkpoint.save(count)

# %% 上面一行是生成的，下面一行是真的：颜色和斑点像青蛙，轮廓和腿多半看不清
# 书中的一万步，像青蛙的也只有少数几张，见 docs/measurements.md
images = [*draw(fixed_latent_vectors[:10]), *frogs[:10]]
titles = ["generated"] * 10 + ["real"] * 10
plot_images(images, titles, "8_5_gan", "frogs", columns=10)

# %% 保存模型；生成器存的是权重平均过的那个
save_model(averaged_generator, "8_5_gan", "generator.keras")
save_model(discriminator, "8_5_gan", "discriminator.keras")

# %% （书外）损失：上上下下，没有一直下降，这对 GAN 来说是正常的
plt.figure(figsize=(9, 4), layout="constrained")
window = min(50, ITERATIONS)
for key, label in [("d_loss", "Discriminator loss"), ("a_loss", "Adversarial loss")]:
    smooth = np.convolve(history[key], np.ones(window) / window, "valid")
    plt.plot(range(window, ITERATIONS + 1), smooth, label=label)

plt.title(f"Moving average over {window} steps")
plt.xlabel("Steps")
plt.ylabel("Loss")
plt.ylim(0, 2)  # 开头两三百步的对抗损失很大，画进来就看不清后面
plt.legend()
save_figure("8_5_gan", "losses")

# %% （书外）同样的 32 个点，每次存盘时画的样子，连成动画：从模糊的色块到斑点和草地
frames = [Image.open(path) for path in sorted(checkpoint.folder.glob("?????.png"))]
duration = 12_000 // len(frames)  # 每帧多少毫秒，整个动画 12 秒
gif = output_dir("8_5_gan") / "frogs.gif"
frames[0].save(gif, save_all=True, append_images=frames[1:], duration=duration, loop=0)

# %% （书外）画得好不好：GAN 的损失看不出来，要另外量，先得有一把尺子
# 让一个小网络学着认出照片转了 0、90、180 还是 270 度；要做到，它得知道青蛙长什么样
# 青蛙分成五份：三份训练这个小网络，一份当作标准，一份是另外的真青蛙
part = len(x_train) // 5
turned = [np.rot90(x_train[: 3 * part], turn, axes=(1, 2)) for turn in range(4)]
turned = np.concatenate(turned)  # (12000, 32, 32, 3)
turns = np.repeat(np.arange(4), 3 * part)  # (12000,)
keras.utils.set_random_seed(SEED)
ruler = keras.Sequential(
    [
        keras.Input(shape=(height, width, channels)),
        layers.Conv2D(32, 3, strides=2, activation="relu"),  # (15, 15, 32)
        layers.Conv2D(64, 3, strides=2, activation="relu"),  # (7, 7, 64)
        layers.Conv2D(128, 3, activation="relu"),  # (5, 5, 128)
        layers.GlobalAveragePooling2D(),  # (128,)，这就是图像的特征
        layers.Dense(4, activation="softmax"),
    ]
)
ruler.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
ruler.fit(turned, turns, epochs=RULER_EPOCHS, batch_size=128, verbose=2)
extractor = keras.Model(ruler.inputs, ruler.layers[-2].output)


def extract(images):  # (n, 32, 32, 3) 的 uint8 → (n, 128) 的特征
    return extractor.predict(images / 127.5 - 1, batch_size=200, verbose=0)


# %% （书外）核距离：两群图像的特征有多不一样，越大越不像，0 就是分不出来
# 它就是评价 GAN 常用的 KID，K 是核函数的核，和卷积核无关；特征出自上面的小网络，所以
# 不能和别处的 KID 比；核距离是抽样估计的，分不出来时也可能略小于 0，打印成 -0.000
# 尺子看不见的，它就量不出来：训练一万步，核距离和真青蛙的一样小，人眼还是分得出
train_features = extract(frogs[: 3 * part])
center, scale = train_features.mean(axis=0), train_features.std()


def kernel_distance(images, others):
    a, b = ((extract(x) - center) / scale for x in (images, others))
    def similarity(x, y):  # (n, 128)、(m, 128) → (n, m)，两两有多相似
        return (x @ y.T / x.shape[1] + 1) ** 3
    n, m = len(a), len(b)
    # 两群之内的相似度减去两群之间的；trace 是自己和自己的相似度之和，不算在内
    within_a = (similarity(a, a).sum() - similarity(a, a).trace()) / (n * (n - 1))
    within_b = (similarity(b, b).sum() - similarity(b, b).trace()) / (m * (m - 1))
    return float(within_a + within_b - 2 * similarity(a, b).mean())


real = frogs[3 * part : 4 * part]  # 没有用来训练尺子的真青蛙，当作标准
noise = np.random.default_rng(SEED).integers(0, 256, (200, *frogs.shape[1:]))
noise_distance = kernel_distance(noise, real)
real_distance = kernel_distance(frogs[4 * part :], real)
distance = kernel_distance(draw(fixed_latent_vectors), real)
print(f"核距离：随机的像素 {noise_distance:.3f}，生成的青蛙 {distance:.3f}，", end="")
print(f"另外的真青蛙 {real_distance:.3f}")

# %% 8.5.7 小结：书中的结果和本次的结果；GAN 没有精度可比，损失只说明谁占上风
# 判别器对每张都说 0.5，两个损失就都是 ln 2，约 0.69，那是势均力敌
# 对抗损失越大，判别器越占上风
# 「书中」的损失是作者公开的 notebook 的运行记录里 100 次打印的平均，书上没有印
print_comparison(
    [
        ("判别器损失，平均", "0.703", f"{np.mean(history['d_loss']):.3f}"),
        ("对抗损失，平均", "0.772", f"{np.mean(history['a_loss']):.3f}"),
        ("训练的步数", "10000", ITERATIONS),
        ("核距离", "", f"{distance:.3f}"),
    ]
)
plt.show()  # 放在最后，弹出的窗口不会打断训练
