"""The demo's film: two minutes in two renditions with two audio languages, made once by ffmpeg.

It is an ordinary progressive MP4 as an editor would export it: B-frames, an edit list, AAC priming.
"""

import os
import subprocess
from pathlib import Path

DURATION_S = 120
FPS = 24
GOP = 48  # frames: 2 s, equal in both renditions so that they can be switched
RUNGS = (("film-540.mp4", "960x540", "1500k"), ("film-270.mp4", "480x270", "400k"))
# One melody in two tunings stands in for two dubs: what is heard tells which track plays.
LANGUAGES = (("eng", "English", 330), ("fra", "Français", 440))


def make(ffmpeg: str, font: str, folder: Path) -> list[Path]:
    """The film's files, made if they are not there; interrupted work leaves nothing behind.

    Raises subprocess.CalledProcessError when ffmpeg fails.
    """
    files = [folder / name for name, _, _ in RUNGS]
    if all(file.exists() for file in files):
        return files
    folder.mkdir(parents=True, exist_ok=True)
    drafts = [file.with_suffix(".making.mp4") for file in files]
    subprocess.run(_command(ffmpeg, font, drafts), check=True, stdin=subprocess.DEVNULL)
    for draft, file in zip(drafts, files, strict=True):
        os.replace(draft, file)
    return files


def _command(ffmpeg: str, font: str, outputs: list[Path]) -> list[str]:
    top = RUNGS[0][1]
    argv = [ffmpeg, "-hide_banner", "-loglevel", "error", "-y"]
    argv += ["-f", "lavfi", "-i", f"gradients=size={top}:rate={FPS}:speed=0.03:nb_colors=6:seed=7"]
    for _, _, pitch in LANGUAGES:
        tone = f"0.25*sin(2*PI*t*{pitch}*pow(2\\,floor(mod(t\\,4))/6))*exp(-3*mod(t\\,1))"
        argv += ["-f", "lavfi", "-i", f"aevalsrc={tone}|{tone}:sample_rate=48000"]
    labels = "".join(f"[{index}]" for index in range(len(RUNGS)))
    graph = [f"[0:v]{_titles(font)},split={len(RUNGS)}{labels}"]
    graph += [f"[{i}]scale={size}[v{i}]" for i, (_, size, _) in enumerate(RUNGS)]
    argv += ["-filter_complex", ";".join(graph)]
    for index, ((_, _, rate), output) in enumerate(zip(RUNGS, outputs, strict=True)):
        argv += ["-map", f"[v{index}]"]
        if index == 0:
            argv += _audio()
        argv += ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
        argv += ["-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-bf", "3"]
        argv += ["-g", str(GOP), "-keyint_min", str(GOP), "-sc_threshold", "0"]
        argv += ["-t", str(DURATION_S), "-movflags", "+faststart", str(output)]
    return argv


def _audio() -> list[str]:
    argv = ["-c:a", "aac", "-b:a", "96k"]
    for track, (language, title, _) in enumerate(LANGUAGES):
        argv += ["-map", f"{track + 1}:a", f"-metadata:s:a:{track}", f"language={language}"]
        argv += [f"-metadata:s:a:{track}", f"title={title}"]
    return argv


def _titles(font: str) -> str:
    style = f"fontfile='{font}':fontcolor=white:shadowx=2:shadowy=2"
    return (
        f"drawtext={style}:text='Headwater':fontsize=72:x=(w-tw)/2:y=h*0.36,"
        f"drawtext={style}:text='a film in two languages':fontsize=26:x=(w-tw)/2:y=h*0.53,"
        f"drawtext={style}:text='%{{pts\\:hms}}':fontsize=40:x=(w-tw)/2:y=h*0.80"
    )
