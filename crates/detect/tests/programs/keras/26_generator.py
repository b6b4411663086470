from tensorflow.keras.callbacks import EarlyStopping
from tensorflow.keras.datasets import cifar10
from tensorflow.keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from tensorflow.keras.models import Sequential
from tensorflow.keras.preprocessing.image import ImageDataGenerator

(x_train, y_train), (x_test, y_test) = cifar10.load_data()
x_train = x_train.astype("float32") / 255

datagen = ImageDataGenerator(
    featurewise_center=False,
    zca_whitening=True,
    rotation_range=15,
    width_shift_range=0.125,
    height_shift_range=4,
    shear_range=0.1,
    zoom_range=[0.9, 1.2],
    horizontal_flip=True,
    vertical_flip=False,
)
datagen.fit(x_train)

model = Sequential()
for filters in (64, 128, 256, 512, 512):
    model.add(Conv2D(filters, (3, 3), padding="same", input_shape=x_train.shape[1:]))
    model.add(Activation("relu"))
    model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(512, (3, 3), padding="same", activation="relu"))
model.add(Flatten())
model.add(Dense(10, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(datagen.flow(x_train, y_train, batch_size=64), epochs=20, callbacks=[EarlyStopping(patience=3)])
