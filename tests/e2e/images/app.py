# SPDX-License-Identifier: Apache-2.0
# A service that prints a good-bye when it is stopped.
import signal
import sys
import time


def stop(number, frame):
    print("stopping on", signal.Signals(number).name, flush=True)
    sys.exit(3)


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGUSR1, stop)
print("serving", *sys.argv[1:], flush=True)
while True:
    time.sleep(0.2)
    print("tick", flush=True)
