#!/bin/bash
# Startup script of a TPU slice, which runs as root on each of its machines. Put in your BUCKET, then:
#
#   pip wheel --no-deps -w dist .
#   gcloud storage cp dist/vidjax-0.1.0-py3-none-any.whl gs://BUCKET/
#   gcloud compute tpus queued-resources create run-a --node-id=run-a --zone=us-west4-a --spot \
#       --accelerator-type=v5litepod-16 --runtime-version=v2-alpha-tpuv5-lite \
#       --scopes=https://www.googleapis.com/auth/cloud-platform \
#       --metadata-from-file=startup-script=configs/launch/queued_tpu.sh
#   gcloud compute tpus queued-resources describe run-a --zone=us-west4-a
#   gcloud compute tpus tpu-vm ssh run-a --zone=us-west4-a --worker=0 \
#       --command="sudo journalctl -f -u google-startup-scripts"
#
# A slice that was taken away is SUSPENDED. Delete it (queued-resources delete run-a --force) and
# create it again, of another size if you like: the run goes on from its last checkpoint.
#
# Not run by us: we have no TPU.

export HOME=/root PATH=/opt/vidjax/bin:$PATH JAX_COMPILATION_CACHE_DIR=gs://BUCKET/compiled

if [ ! -x /opt/vidjax/bin/vidjax ]; then
    # The machine's own Python is older than 3.11.
    python3 -m pip install -q uv
    python3 -m uv venv -q --python 3.12 /opt/vidjax
    gcloud storage cp "gs://BUCKET/vidjax-*.whl" /opt/vidjax/
    python3 -m uv pip install -q --python /opt/vidjax "$(ls /opt/vidjax/vidjax-*.whl)[tpu,gcs]"
fi

train() {
    vidjax train --config=folder --config.data.manifest=gs://BUCKET/videos.csv \
        --config.data.data_dir=gs://BUCKET/data --workdir=gs://BUCKET/runs/a
}

for _ in $(seq 50); do
    train
    code=$?
    # Done, or a mistake that another start repeats. Everything else goes on from a checkpoint.
    if [ $code -eq 0 ] || [ $code -eq 2 ]; then
        exit $code
    fi
    sleep 30
done
exit $code
