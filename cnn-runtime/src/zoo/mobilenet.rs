//! MobileNet: Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications" (2017), and
//! its second version: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (2018).

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

model! {
    block conv(filters, kernel = 1, stride = 1)(x) {
        x = Conv2D(filters, kernel, stride=stride, same, use_bias=false)(x);
        ReLU(6)(BatchNormalization()(x))
    }

    // A wide depthwise convolution between two narrow ends, of which the last has no activation.
    block bottleneck(filters, stride = 1)(x) {
        x = DepthwiseConv2D(3, stride=stride, same, use_bias=false)(x);
        x = ReLU(6)(BatchNormalization()(x));
        x = Conv2D(filters, 1, use_bias=false)(x);
        BatchNormalization()(x)
    }

    /// MobileNet v2 at full width.
    pub MobileNetV2 {
        i = Input(224, 224, 3);
        x = conv(32, 3, stride=2)(i);
        x = bottleneck(16)(x);
        for (inputs, filters, depth, stride) in
            [(16, 24, 2, 2), (24, 32, 3, 2), (32, 64, 4, 2), (64, 96, 3, 1), (96, 160, 3, 2), (160, 320, 1, 1)]
        {
            x = bottleneck(filters, stride=stride)(conv(6 * inputs)(x));
            for _ in 1..depth {
                x = bottleneck(filters)(conv(6 * filters)(x)) + x;
            }
        }
        x = conv(1280)(x);
        x = GlobalAveragePooling2D()(x);
        x = Dropout(0.2)(x);
        x = Dense(1000, softmax)(x);
    }
}
