from keras.models import Sequential
from keras.layers import Lambda, Conv2D, Flatten, Dense, Activation

model = Sequential()
model.add(Lambda(lambda x: x / 127.5 - 1, input_shape=(28, 28, 1)))
model.add(Conv2D(8, (3, 3), activation='relu'))
model.add(Flatten())
model.add(Dense(10))
model.add(Activation('softmax'))
