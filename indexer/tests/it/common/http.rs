//! The smallest HTTP server that a JSON-RPC client accepts: POST, Content-Length, keep-alive.
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The body of the next request on `stream`; `None` when the client has gone.
pub async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Value> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let len =
                head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok());
            let (body, len): (usize, usize) = (end + 4, len.unwrap_or(0));
            if buffer.len() >= body + len {
                let value = serde_json::from_slice(&buffer[body..body + len]).ok()?;
                buffer.drain(..body + len);
                return Some(value);
            }
        }
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        buffer.extend_from_slice(&chunk[..n]);
    }
}

/// Answers with `body`.
pub async fn respond(stream: &mut TcpStream, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}
