from keras.models import Sequential
from keras.layers import Conv2D, Dense, MaxPooling2D, Flatten

# The first Dense stands before Flatten, where Keras applies it to each pixel.
model = Sequential()
model.add(Conv2D(8, 3, input_shape=(20, 20, 1), activation='relu'))
model.add(MaxPooling2D())
model.add(Dense(16, activation='relu'))
model.add(Flatten())
model.add(Dense(3, activation='softmax'))
