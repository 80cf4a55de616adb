/* The root archive inside the image; empty when the build had none. */
#pragma once

extern const char embedded_root_start[], embedded_root_end[];
