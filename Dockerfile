# One image: the operator, and the two roles of the runtime. Fill dist/ first:
#   npm ci && node cli/node.js scripts/bundle.ts
#   docker build -t millrace:dev .        (or: buildah bud -t millrace:dev .)
# Nothing runs while it is built and nothing in it needs a shell, so BASE may be any image with glibc and libstdc++. A tag
# moves: for an image that can be built again, look the digest up (docker buildx imagetools inspect
# gcr.io/distroless/cc-debian12:nonroot) and give it: --build-arg BASE=gcr.io/distroless/cc-debian12@sha256:…
# What the image holds besides its base is listed in /app/sbom.cdx.json.
ARG BASE=gcr.io/distroless/cc-debian12:nonroot
FROM ${BASE}
COPY dist/lib/ /usr/local/lib/
COPY dist/node /usr/local/bin/node
COPY dist/app/ /app/
ENV NODE_ENV=production LD_LIBRARY_PATH=/usr/local/lib
WORKDIR /app
USER 65532:65532
# why these flags: runtime/node-flags.ts
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=16", "--external-memory-accounted-in-global-limit", "--max-old-space-size-percentage=50", "/app/main.mjs"]
