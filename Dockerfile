# One image: the operator, and the two roles of the runtime. Fill dist/ first:
#   npm ci && node cli/node.js scripts/bundle.ts
#   docker build -t millrace:dev .        (or: buildah bud -t millrace:dev .)
# Nothing runs while it is built and nothing in it needs a shell, so BASE may be any image with glibc and libstdc++. A tag
# moves, so the digest decides: an image that is built again has the same base. To take a newer one with its fixes, look
# the digest up (docker buildx imagetools inspect gcr.io/distroless/cc-debian12:nonroot) and write it here.
# What the image holds besides its base is listed in /app/sbom.cdx.json.
ARG BASE=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
FROM ${BASE}
COPY dist/lib/ /usr/local/lib/
COPY dist/node /usr/local/bin/node
COPY dist/app/ /app/
ENV NODE_ENV=production LD_LIBRARY_PATH=/usr/local/lib
WORKDIR /app
USER 65532:65532
# why these flags: runtime/node-flags.ts
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=16", "--external-memory-accounted-in-global-limit", "--max-old-space-size-percentage=50", "/app/main.mjs"]
