# Elman with its kernels and its server:
#   docker build --tag elman .
#   docker run --rm --volume "$PWD:/work" elman train book.txt --out runs/book
#   docker run --rm --volume "$PWD:/work" --publish 127.0.0.1:8000:8000 elman serve runs/book --host 0.0.0.0 --api-key KEY
FROM python:3.13-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.13-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(ls /wheels/elman-*.whl)[serve]" && rm -r /wheels && useradd --create-home elman
USER elman
WORKDIR /work
ENTRYPOINT ["elman"]
