# The server and its workers in one image; docs/operate.md says how to run it.
FROM python:3.11-slim AS build
RUN python -m venv /opt/citytune
ENV PATH=/opt/citytune/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# First and alone: asked for together, pip may fetch GPU packages. TORCH_INDEX may name a shelf of
# builds without them.
ARG TORCH_INDEX=
RUN pip install torch==2.13.0 ${TORCH_INDEX:+--index-url "$TORCH_INDEX"}
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN pip install '.[serve,postgres]'

FROM python:3.11-slim
RUN groupadd --gid 10001 city \
    && useradd --uid 10001 --gid city --home-dir /data --no-create-home --shell /usr/sbin/nologin city \
    && mkdir /data \
    && chown city:city /data
COPY --from=build /opt/citytune /opt/citytune
ENV PATH=/opt/citytune/bin:$PATH PYTHONUNBUFFERED=1 CITYTUNE_CACHE=/data/cache HF_HOME=/data/hub
USER city
WORKDIR /data
VOLUME /data
EXPOSE 8417
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8417/v1/health', timeout=4)"]
ENTRYPOINT ["citytune"]
CMD ["serve", "/data", "--host", "0.0.0.0"]
