//! MobileNet: Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications" (2017).

use crate::model;

model! {
    block separable(filters, stride = 1)(x) {
        x = DepthwiseConv2D(3, stride=stride, same, use_bias=false)(x);
        x = ReLU(6)(BatchNormalization()(x));
        x = Conv2D(filters, 1, use_bias=false)(x);
        ReLU(6)(BatchNormalization()(x))
    }

    /// MobileNet v1 at full width.
    pub MobileNet {
        i = Input(224, 224, 3);
        x = Conv2D(32, 3, stride=2, same, use_bias=false)(i);
        x = ReLU(6)(BatchNormalization()(x));
        x = separable(64)(x);
        for filters in [128, 256] {
            x = separable(filters, stride=2)(x);
            x = separable(filters)(x);
        }
        x = separable(512, stride=2)(x);
        for _ in 0..5 {
            x = separable(512)(x);
        }
        x = separable(1024, stride=2)(x);
        x = separable(1024)(x);
        x = GlobalAveragePooling2D()(x);
        x = Dropout(0.001)(x);
        x = Dense(1000, softmax)(x);
    }
}
