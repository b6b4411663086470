from tensorflow.keras import Model
from tensorflow.keras.layers import Activation, Conv2D, Dropout, GlobalAveragePooling2D, Input

inp = Input((32, 32, 3))
h = Conv2D(24, 3, padding='same', activation='relu')(inp)
h = Conv2D(24, 3, padding='same', strides=2, activation='relu')(h)
h = Dropout(0.5)(h)
h = Conv2D(10, 1)(h)
h = GlobalAveragePooling2D()(h)
out = Activation('softmax')(h)
Model(inputs=[inp], outputs=[out]).compile('adam', 'categorical_crossentropy')
