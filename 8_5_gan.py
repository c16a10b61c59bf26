"""8.5 生成式对抗网络简介

任务：看过 5 000 张青蛙的照片之后，画出没有见过的青蛙
数据：CIFAR-10 训练集里的青蛙，5 000 张 32x32 的彩色照片
网络：生成器，32 个随机数 → 一张图像；判别器，一张图像 → 它是生成器画的概率
结果：书中 → 实测，10 000 步的损失的平均：判别器 0.703 → 0.675，对抗 0.772 → 0.834
      没有 GPU 时 3 000 步，核距离，越小越像：第 100 步 2.139，最后 0.089，真青蛙 0.002
开销：2 核 CPU 训练 3 000 步 22 分钟，内存 1.2 GB；下载 170 MB
运行：python 8_5_gan.py，可以随时按 Ctrl-C，同样的命令从上次存盘的那一步接着训练
产出：output/8_5_gan/ 里的图、动画 frogs.gif、损失和质量的历史、两个模型
"""

import time

from common import Fault
from common.frogs import load_frogs
from common.hardware import bfloat16_is_faster
from common.output import (
    format_table,
    print_comparison,
    save_history,
    save_model,
    spoken,
)
from common.plotting import (
    label,
    plot_images,
    plot_mosaic,
    save_figure,
    save_gif,
    show_figures,
)
from common.settings import check_settings
from common.training import (
    all_finite,
    interruptible,
    restore_state,
    save_state,
    settings_folder,
    whole_history,
)

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, losses, optimizers

# %% 超参数：想做实验，只改这几行
GPU = bool(tf.config.list_physical_devices("GPU"))
ITERATIONS = 10_000 if GPU else 3_000  # 迭代多少步，书中是一万步，没有 GPU 就少一些
FILTERS = 256 if GPU else 128  # 生成器每个卷积层的过滤器个数，即宽度；书中是 256
BATCH_SIZE = 20  # 同书中，每步看 20 张真的、20 张生成的
LATENT_DIM = 32  # 潜在空间的维数，同书中：32 个随机数决定一只青蛙
D_LEARNING_RATE = 0.0008  # 判别器的学习率，同书中
G_LEARNING_RATE = 0.0002  # 生成器的学习率；书中是 0.0004，太快，颜色忽黄忽绿
# RMSprop 把每个梯度除以它近来的均方根，EPSILON 防止除以 0。Keras 3 把它加在平方根里面，
# 默认的 1e-7 相当于当年加在外面的 3e-4，太大；1e-14 开平方，才是当年的 1e-7
EPSILON = 1e-14
AVERAGING = 0.99  # （书外）生成图像用的权重，是最近一百步左右的平均
NUM_FIXED = 200  # （书外）始终用这 200 个点看进展、评估质量；不少于 32
RULER_EPOCHS = 5  # （书外）评估用的小网络训练几轮
SAVE_EVERY = 100  # 每隔多少步画一次、量一次、存一次盘，同书中
DEBUG = False  # 改成 True，train_step 里的断点每一步都会停
SEED = 0  # 随机种子，换一个数，画出来的就是另一群青蛙

check_settings(globals(), BATCH_SIZE=5_000)  # 常量设错了，现在就停下；青蛙一共 5 000 张
keras.utils.set_random_seed(SEED)  # 固定随机种子，两次运行才能互相比较

# %% （书外）混合精度：处理器会算 bfloat16 时，卷积用它算，权重仍然存成 float32
# bfloat16 是 16 位的浮点数，有效数字少；这里的精度说的就是有效数字，不是 accuracy
# 先试算一下哪个快：带 AVX512_BF16 或 AMX 的处理器快一倍左右，其余的反而慢
POLICY = "mixed_bfloat16" if bfloat16_is_faster() else "float32"
keras.config.set_dtype_policy(POLICY)
print(f"{'有' if GPU else '没有'} GPU，计算用的数值类型：{POLICY}")

# %% 8.5.1 GAN 的简要实现流程：造假的和鉴定的互相较量，越来越高明
# 生成器把潜在空间的一个点变成一张图像；判别器看一张图像，判断是生成的还是真的
# 判别器学着分清两种图像；生成器学着让判别器把它画的当成真的，自己从没见过真青蛙

# %% 8.5.2 大量技巧：GAN 难训练，下面每用到一个，就在那一行标出来
# 技巧 1：生成器最后一层用 tanh，不用 sigmoid
# 技巧 2：潜在空间的点从正态分布取，不从均匀分布取
# 技巧 3：加一点随机：判别器用 dropout，标签加噪声
# 技巧 4：稀疏的梯度有害：用步进的卷积代替最大池化，用 LeakyReLU 代替 relu
# 技巧 5：步进卷积的核，边长能被步幅整除，每个像素被覆盖的次数才相同，不会出现棋盘格
# 技巧 6：学习率逐渐减小；书中没有列出，写在优化器的参数里，下一个也是
# 技巧 7：裁剪梯度，免得一步迈得太大

# %% 准备数据：CIFAR-10 里标签 6 是青蛙
frogs = load_frogs()  # (5000, 32, 32, 3)，uint8
height, width, channels = frogs.shape[1:]  # 32、32、3
# 书中除以 255，缩放到 [0, 1]；可 tanh 画出来的在 [-1, 1]，判别器光看有没有负数就能分清
# 所以这里缩放到 [-1, 1]
x_train = frogs.astype("float32") / 127.5 - 1
print("真青蛙：", x_train.shape, "从", x_train.min(), "到", x_train.max())

# %% 8.5.3 生成器：32 个数 → 16x16、深度 128 的特征图 → 32x32 的彩色图像
# 层数、核的大小都同书中；FILTERS 减半，每步的时间只要三分之一，同样的时间能多训练两倍
generator = keras.Sequential(
    [
        keras.Input(shape=(LATENT_DIM,)),
        layers.Dense(128 * height // 2 * width // 2),  # (32768,)
        layers.LeakyReLU(0.3),  # 技巧 4；负数乘以 0.3，不全变成 0，同书中
        layers.Reshape((height // 2, width // 2, 128)),  # (16, 16, 128)
        layers.Conv2D(FILTERS, 5, padding="same"),  # (16, 16, FILTERS)
        layers.LeakyReLU(0.3),
        # 上采样：高和宽各放大一倍，(32, 32, FILTERS)；技巧 5，边长 4 能被步幅 2 整除
        layers.Conv2DTranspose(FILTERS, 4, strides=2, padding="same"),
        layers.LeakyReLU(0.3),
        layers.Conv2D(FILTERS, 5, padding="same"),  # (32, 32, FILTERS)
        layers.LeakyReLU(0.3),
        layers.Conv2D(FILTERS, 5, padding="same"),  # (32, 32, FILTERS)
        layers.LeakyReLU(0.3),
        # (32, 32, 3)；技巧 1；混合精度时，最后一层要留在 float32
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
        layers.LeakyReLU(0.3),
        layers.Conv2D(128, 4, strides=2),  # (14, 14, 128)；技巧 4、5，步幅 2 代替池化
        layers.LeakyReLU(0.3),
        layers.Conv2D(128, 4, strides=2),  # (6, 6, 128)
        layers.LeakyReLU(0.3),
        layers.Conv2D(128, 4, strides=2),  # (2, 2, 128)
        layers.LeakyReLU(0.3),
        layers.Flatten(),  # (512,)
        layers.Dropout(0.4),  # 技巧 3
        layers.Dense(1, activation="sigmoid", dtype="float32"),
    ],
    name="discriminator",
)
discriminator.summary()  # 参数 790 913 个，和书中相同


# 技巧 6：书中写作 decay=1e-8，一万步才减小万分之一，Keras 3 也取消了这个参数
# 这里沿着余弦曲线减小，最后剩下 2%；步数少时，不这样就画得忽好忽坏，最后一步未必好
def build_optimizer(learning_rate):
    schedule = optimizers.schedules.CosineDecay(learning_rate, ITERATIONS, alpha=0.02)
    return optimizers.RMSprop(schedule, clipvalue=1.0, epsilon=EPSILON)  # 技巧 7


discriminator_optimizer = build_optimizer(D_LEARNING_RATE)
# 现在就建好优化器的变量，后面才能和权重一起存盘
discriminator_optimizer.build(discriminator.trainable_weights)

# %% 8.5.5 对抗网络：生成器接上判别器；训练它只更新生成器
# 书中先编译判别器，再设 discriminator.trainable = False，编译生成器接判别器的模型
# 在 Keras 3 上照做，判别器一步也不会更新，只有一句警告：trainable 不再在 compile 时定，
# 而是第一次训练时才看，那时已经是 False 了
# 这里不靠 trainable：两个优化器各管一个网络，梯度只对该更新的那些权重计算；书中的 gan
# 就是下面 train_step 里的 discriminator(generated_images)
gan_optimizer = build_optimizer(G_LEARNING_RATE)
gan_optimizer.build(generator.trainable_weights)
# （书外）训练中的生成器左右摇摆，把最近若干步的权重平均起来，生成的图像稳得多
averaged_generator = keras.models.clone_model(generator)
averaged_generator.set_weights(generator.get_weights())
loss_function = losses.BinaryCrossentropy()
rng = tf.random.Generator.from_seed(SEED)  # 随机数从这里取，它的状态可以存盘


# %% 8.5.6 如何训练 DCGAN：每一步先训练判别器，再训练生成器
def train_step(real_images):  # real_images，(20, 32, 32, 3)
    random_latent_vectors = rng.normal((BATCH_SIZE, LATENT_DIM))  # 技巧 2
    with tf.GradientTape() as gan_tape:  # 记下计算过程，后面才能求生成器的梯度
        generated_images = generator(random_latent_vectors)  # (20, 32, 32, 3)
    # 先训练判别器：生成的和真的拼在一起，标签分别是 1 和 0
    combined_images = tf.concat([generated_images, real_images], axis=0)
    labels = tf.concat([tf.ones((BATCH_SIZE, 1)), tf.zeros((BATCH_SIZE, 1))], axis=0)
    # 技巧 3：标签加噪声。书中 1 也往上加，损失可能变成负数；这里 1 往下，0 往上
    labels = tf.abs(labels - 0.05 * rng.uniform(labels.shape))  # 取绝对值，0 就往上
    with tf.GradientTape() as tape:
        predictions = discriminator(combined_images, training=True)
        d_loss = loss_function(labels, predictions)
    gradients = tape.gradient(d_loss, discriminator.trainable_weights)
    discriminator_optimizer.apply_gradients(
        zip(gradients, discriminator.trainable_weights)
    )
    # 再训练生成器：谎称它画的都是真的（标签 0），判别器越不信，损失越大
    # 书中另取一批随机数，这里还用刚才画好的那一批，少画一次，时间省两成多
    misleading_targets = tf.zeros((BATCH_SIZE, 1))
    with gan_tape:  # 接着记：前一段记了生成器，这一段记判别器
        a_loss = loss_function(
            misleading_targets, discriminator(generated_images, training=True)
        )
    gradients = gan_tape.gradient(a_loss, generator.trainable_weights)
    gan_optimizer.apply_gradients(zip(gradients, generator.trainable_weights))
    count = tf.cast(gan_optimizer.iterations, "float32")
    # 开头只平均最近几步，不留着初始的权重
    keep = tf.minimum(AVERAGING, count / (count + 10))
    for average, weight in zip(averaged_generator.weights, generator.weights):
        average.assign(keep * average + (1 - keep) * weight)
    return d_loss, a_loss


if not DEBUG:  # 把一步编译成计算图，比一层一层地从 Python 调用快
    train_step = tf.function(train_step)


# %% （书外）训练到一半的网络、历史和评估用的小网络都存在这个文件夹里，中断之后接着来
settings = [ITERATIONS, BATCH_SIZE, D_LEARNING_RATE, G_LEARNING_RATE, EPSILON, SEED]
settings += [AVERAGING, SAVE_EVERY, NUM_FIXED, RULER_EPOCHS]  # 改了就从头训练
settings += [int(frogs.sum(dtype="int64"))]  # 换了一批青蛙，也从头训练
folder = settings_folder("8_5_gan", "frogs", [generator, discriminator], settings)

# %% （书外）先造一把尺子：GAN 的损失看不出画得好不好，要另外量
# 让一个小网络学着认出照片转了 0、90、180 还是 270 度；要做到，它得知道青蛙长什么样
part = len(frogs) // 5
turned = [np.rot90(x_train[: 3 * part], turn, axes=(1, 2)) for turn in range(4)]
turned = np.concatenate(turned)  # (12000, 32, 32, 3)
turns = np.repeat(np.arange(4), 3 * part)  # (12000,)
ruler = keras.Sequential(
    [
        keras.Input(shape=(height, width, channels)),
        layers.Conv2D(32, 3, strides=2, activation="relu"),  # (15, 15, 32)
        layers.Conv2D(64, 3, strides=2, activation="relu"),  # (7, 7, 64)
        layers.Conv2D(128, 3, activation="relu"),  # (5, 5, 128)
        layers.GlobalAveragePooling2D(dtype="float32"),  # (128,)，这就是图像的特征
        layers.Dense(4, activation="softmax", dtype="float32"),
    ],
    name="ruler",
)
if (folder / "ruler.keras").exists():  # 中断之后接着用同一把尺子
    ruler = keras.models.load_model(folder / "ruler.keras")
else:
    print(f"先训练评估用的小网络，{RULER_EPOCHS} 轮，精度是认方向的，不是 GAN 的")
    ruler.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    ruler.fit(turned, turns, epochs=RULER_EPOCHS, batch_size=128, verbose=2)
    save_model(ruler, "8_5_gan/checkpoints/frogs", "ruler.keras")

extractor = keras.Model(ruler.inputs, ruler.layers[-2].output)
features = extractor.predict(x_train[: 3 * part], batch_size=200, verbose=0)
center, unit = features.mean(axis=0), features.std()


def extract(images):  # (n, 32, 32, 3) 的 uint8 → (n, 128) 的特征
    features = extractor.predict(images / 127.5 - 1, batch_size=200, verbose=0)
    return (features - center) / unit  # 以真青蛙为准，平均是 0，大小在 1 左右


# %% （书外）核距离：两群图像的特征有多不一样，0 是分不出，越大越不像
# 即评价 GAN 常用的 KID，只是特征换成了上面的小网络的，和别处的 KID 不能比；分不出时，
# 估计的误差会让它略小于 0；尺子看不见的它量不出来，书中的 10 000 步，它和真青蛙一样小，
# 人眼还是分得出。「核」指算相似度的核函数 similarity，和卷积核无关
def similarity(x, y):  # (n, 128)、(m, 128) → (n, m)，两两有多相似
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_distance(a, b):  # a、b，(n, 128)、(m, 128)
    # 两群之内的相似度减去两群之间的；自己和自己的不算
    n, m = len(a), len(b)
    within_a = (similarity(a, a).sum() - similarity(a, a).trace()) / (n * (n - 1))
    within_b = (similarity(b, b).sum() - similarity(b, b).trace()) / (m * (m - 1))
    return float(within_a + within_b - 2 * similarity(a, b).mean())


# 多样性：任取两张，特征平均相差多少；生成器反复画同一只青蛙时接近 0
def diversity(a):
    squares = (a**2).sum(axis=1)
    distances = np.sqrt((squares[:, None] + squares - 2 * a @ a.T).clip(0))
    return float(distances.mean())


# 没有用来训练尺子的真青蛙，一半当标准，一半用来比较
real_features = extract(frogs[3 * part : 4 * part])
other_features = extract(frogs[4 * part :])
scale = diversity(real_features)  # 多样性以真青蛙为 1


def measure(features):
    return kernel_distance(features, real_features), diversity(features) / scale


# %% （书外）看进展：隔一阵画一次，同一个点画出来的，从噪声慢慢变成青蛙
fixed_latent_vectors = np.random.default_rng(SEED).normal(size=(NUM_FIXED, LATENT_DIM))


def draw(latent_vectors):  # (n, 32) → (n, 32, 32, 3) 的 uint8
    images = averaged_generator.predict(latent_vectors, batch_size=50, verbose=0)
    # 书中乘以 255 就存，负数会绕回去变成亮点；这里从 [-1, 1] 换算，不会超出 0 到 255
    return np.clip((images + 1) * 127.5, 0, 255).astype("uint8")


# %% （书外）上次训练到一半，就从存盘的那一步接着来
# 随机数也接得上，结果和没有中断过一样
variables = generator.variables + averaged_generator.variables
variables += discriminator.variables  # 包括 dropout 的随机状态
variables += discriminator_optimizer.variables + gan_optimizer.variables
variables += [rng.state]
done = restore_state(folder, variables)  # 存过的最近一步，没有存过是 0
history = {"d_loss": [], "a_loss": []} | whole_history(folder)
history = {key: values[:done] for key, values in history.items()}
quality = {"step": [], "distance": [], "diversity": []}
quality = quality | whole_history(folder, "quality.csv")
kept = sum(step <= done for step in quality["step"])
quality = {key: values[:kept] for key, values in quality.items()}
if done >= ITERATIONS:
    print(f"{done} 步上次已经训练完，直接用那时的结果；想重新训练，删掉 {folder}")
elif done:
    print(f"接着上次中断的训练，前 {done} 步不用重来")

# %% 8.5.6 训练循环：损失降不到 0，也不该降到 0，两个网络谁也赢不了谁才是好的
# 书中每 100 步存一张生成的、一张真的图像，这里存一张拼图：32 个点生成的图像
print("下面的核距离越小，画的越像真青蛙；多样性，真青蛙是 1")
start_time = time.monotonic()
for step in interruptible(range(done, ITERATIONS)):  # 按 Ctrl-C，在两步之间停下
    # 依次取真青蛙，取完一遍从头再取
    start = step % (len(x_train) // BATCH_SIZE) * BATCH_SIZE
    real_images = x_train[start : start + BATCH_SIZE]
    d_loss, a_loss = (float(loss) for loss in train_step(real_images))
    if not np.isfinite([d_loss, a_loss]).all():
        raise Fault(
            f"第 {step + 1} 步的损失不是有限的数（{d_loss}、{a_loss}），训练垮了。"
            "之前存的盘都还在；把学习率调小，会从头训练"
        )
    history["d_loss"].append(d_loss)
    history["a_loss"].append(a_loss)
    count = step + 1
    if count < ITERATIONS and (count == done + 10 or count % SAVE_EVERY == 0):
        left = (ITERATIONS - count) * (time.monotonic() - start_time) / (count - done)
        print(f"第 {count} 步，还要约 {spoken(left)}", flush=True)
    if count % SAVE_EVERY == 0 or count == ITERATIONS:
        if not all_finite(generator, discriminator):
            raise Fault(
                f"第 {count} 步之后有的权重不是有限的数，训练垮了，这一步不存盘。"
                "之前存的盘都还在；把学习率调小，会从头训练"
            )
        images = draw(fixed_latent_vectors)
        plot_mosaic(
            images[:32],
            label(f"第 {count} 步", f"step {count}"),
            "8_5_gan/checkpoints/frogs/frames",
            f"{count:05d}",
        )
        distance, spread = measure(extract(images))
        quality["step"].append(count)
        quality["distance"].append(distance)
        quality["diversity"].append(spread)
        recent_d = np.mean(history["d_loss"][-SAVE_EVERY:])
        recent_a = np.mean(history["a_loss"][-SAVE_EVERY:])
        print(f"判别器损失 {recent_d:.3f}，对抗损失 {recent_a:.3f}，", end="")
        print(f"核距离 {distance:.3f}，多样性 {spread:.2f}", flush=True)
        # 标签有噪声，判别器全对时损失也有 0.1 左右
        if recent_d < 0.2:
            print("判别器已经赢了，生成器很难再学到东西：把 D_LEARNING_RATE 调小试试")
        # 先存历史，再存网络：中间断电，多出来的历史下次会去掉
        save_history(history, "8_5_gan/checkpoints/frogs")
        save_history(quality, "8_5_gan/checkpoints/frogs", "quality.csv")
        save_state(folder, count, variables)

# %% 保存模型和历史；生成器存的是权重平均过的那个
save_model(averaged_generator, "8_5_gan", "generator.keras")
save_model(discriminator, "8_5_gan", "discriminator.keras")
save_history(history, "8_5_gan", index="step")
save_history(quality, "8_5_gan", "quality.csv", index="n")

# %% （书外）损失：上上下下，没有一直下降，这对 GAN 来说是正常的
plt.figure(figsize=(9, 4), layout="constrained")
steps = np.arange(1, len(history["d_loss"]) + 1)
window = min(50, len(steps))
for key, chinese, english in [
    ("d_loss", "判别器损失", "Discriminator loss"),
    ("a_loss", "对抗损失", "Adversarial loss"),
]:
    (line,) = plt.plot(steps, history[key], alpha=0.2)
    mean = np.convolve(history[key], np.ones(window) / window, "valid")
    plt.plot(
        steps[window - 1 :], mean, color=line.get_color(), label=label(chinese, english)
    )

plt.title(label(f"{window} 步的移动平均", f"Moving average over {window} steps"))
plt.xlabel(label("步", "Step"))
plt.ylabel(label("损失", "Loss"))
plt.legend()
save_figure("8_5_gan", "losses")

# %% （书外）质量：损失看不出什么，核距离总的来说在下降，画得越来越像
plt.figure(figsize=(9, 4), layout="constrained")
plt.plot(quality["step"], quality["distance"], "o-")
plt.title(label("生成的和真的差多少", "How far from real frogs"))
plt.xlabel(label("步", "Step"))
plt.ylabel(label("核距离", "Kernel distance"))
plt.yscale("log")
save_figure("8_5_gan", "quality")
noise = np.random.default_rng(SEED).integers(0, 256, (NUM_FIXED, *frogs.shape[1:]))
rows = [
    ("随机的像素", *measure(extract(noise))),
    (f"第 {quality['step'][0]} 步", quality["distance"][0], quality["diversity"][0]),
    (f"第 {quality['step'][-1]} 步", quality["distance"][-1], quality["diversity"][-1]),
    ("另外的真青蛙", *measure(other_features)),
]
rows = [(title, f"{a:.3f}", f"{b:.2f}") for title, a, b in rows]
print(format_table(rows, ["图像", "核距离，越小越像", "多样性，真青蛙是 1"]))

# %% 上面一行是生成的，下面一行是真的
generated_images = draw(fixed_latent_vectors[:10])
plot_images(
    [*generated_images, *frogs[:10]],
    [label("生成的", "generated")] * 10 + [label("真的", "real")] * 10,
    "8_5_gan",
    "frogs",
    columns=10,
)

# %% （书外）同样的 32 个点，每次存盘时画的样子，连成动画，最多 40 帧
frames = [f"{step:05d}" for step in quality["step"]]
save_gif("8_5_gan", "frogs", "8_5_gan/checkpoints/frogs/frames", frames)

# %% （书外）从一张变到另一张：潜在空间是连续的，两点之间的每个点也对应一张图像
weights = np.linspace(0, 1, 10)[:, np.newaxis]  # (10, 1)
first, last = fixed_latent_vectors[:2]
between = first * (1 - weights) + last * weights  # (10, 32)
plot_images(
    draw(between),
    [f"{weight:.0%}" for weight in weights[:, 0]],
    "8_5_gan",
    "interpolation",
    columns=10,
)

# %% 8.5.7 小结：书中的结果和本次的结果；GAN 没有精度可比，损失只说明谁占上风
# 两个都在 0.69（即 ln 2）附近是势均力敌，对抗损失越大，判别器越占上风
# 「书中」的损失是作者公开的 notebook 的运行记录里 100 次打印的平均，书上没有印
print_comparison(
    [
        ("判别器损失，平均", "0.703", f"{np.mean(history['d_loss']):.3f}"),
        ("对抗损失，平均", "0.772", f"{np.mean(history['a_loss']):.3f}"),
        ("训练的步数", "10000", len(history["d_loss"])),
        ("核距离", "", f"{quality['distance'][-1]:.3f}"),
    ]
)
show_figures()  # 放在最后，弹出的窗口不会打断训练
