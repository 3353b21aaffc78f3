# sb_mm with its locked stack, for the CPU. Nothing here that tools/install_debian.sh
# does not do on a bare Debian.
FROM debian:12-slim
WORKDIR /sb_mm
COPY . .
RUN tools/install_debian.sh /opt/sb_mm && rm -rf /root/.cache /var/lib/apt/lists/*
ENV PATH=/opt/sb_mm/bin:$PATH
CMD ["sb-mm", "--help"]
