"""The example that trains: the arguments are its program, and nothing else."""
import os
import subprocess

from support import PROGRAM, Case, main, read_checkpoint, write_data


class TrainFashion(Case):
    def test_trains_and_saves(self):
        data = write_data(self.folder / 'data', 300, 100)
        done = subprocess.run([PROGRAM, 'fashion-dnn', '4', data], cwd=self.folder, capture_output=True, text=True,
                              check=True, timeout=120)
        self.assertRegex(done.stdout, r'^Iteration: 4, Loss: \d\.\d{6}, Accuracy: \d+\.\d\d%\n$')
        saved = read_checkpoint(self.folder / 'train_fashion.pth')['model_state_dict']
        self.assertEqual(len(saved), 6)

    def test_says_what_is_missing(self):
        done = subprocess.run([PROGRAM, 'fashion-dnn', '4'], cwd=self.folder, capture_output=True, text=True,
                              check=False, timeout=120, env={**os.environ, 'OCL_ICD_VENDORS': '/nonexistent'})
        self.assertEqual(done.returncode, 1)
        self.assertIn('pocl-opencl-icd', done.stderr)


main()
