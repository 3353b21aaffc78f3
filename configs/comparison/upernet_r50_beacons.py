# The plain network of the comparison on the generated Beacons; every other file
# differs from it in the backbone alone. All start from the plain classifier.
_base_ = '../beacons/upernet_r50_beacons.py'
