"""How the page looks: fonts of the system, one accent, one column on a phone."""

import gradio as gr

_FONT = ("system-ui", "sans-serif")
_MONO = ("ui-monospace", "monospace")
THEME = gr.themes.Base(primary_hue="orange", neutral_hue="slate", font=_FONT, font_mono=_MONO)

CSS = """
.gradio-container {max-width: 1120px !important; margin: 0 auto !important;}
.s2v-message {margin: 0; min-height: 1.5em;}
.s2v-message[role=alert] {color: var(--error-text-color); font-weight: 600;}
.s2v-report {width: 100%; height: 80vh; border: 1px solid var(--border-color-primary); background: white;}
#card-text table {display: block; overflow-x: auto;}
#card-text td, #card-text th {word-break: normal; overflow-wrap: break-word; min-width: 4.5em;}
.s2v-note {margin: 0;}
@media (max-width: 640px) {
  /* In one column: the button before what it makes. */
  #status {order: 1;}
  #video {order: 2;}
}
"""
