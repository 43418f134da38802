# emofed in one image: the page, the lite models and the aggregator in one program.
#   docker build -t emofed .
# No part of this file has been run where emofed is developed: there is no docker there.

FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends make nodejs npm && rm -rf /var/lib/apt/lists/*
WORKDIR /emofed
COPY . .
# Tools, page and program; EMOFED_CACHE holds all that is made.
ENV EMOFED_CACHE=/cache
RUN make dist

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates wget && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin emofed \
 && install -d -o emofed -g emofed -m 0700 /data
COPY --from=build /cache/dist-bin/emofed /usr/local/bin/emofed
COPY LICENSE /usr/share/doc/emofed/LICENSE
USER emofed
VOLUME /data
EXPOSE 8787
# EMOFED_CHECK is what the health check asks: http:// where a proxy ends TLS. The certificate may be self-signed, and is its own.
ENV EMOFED_DATA=/data EMOFED_LISTEN=0.0.0.0:8787 EMOFED_CHECK=https://127.0.0.1:8787/readyz
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD wget --quiet --no-check-certificate --output-document=/dev/null "$EMOFED_CHECK"
ENTRYPOINT ["emofed"]
CMD ["serve"]
